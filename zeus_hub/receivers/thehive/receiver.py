"""TheHive as a place that is told of groups: one TheHive alert for each, made once and then kept up to date.

The alert is looked up before it is made, and again where TheHive refuses to make it: a request whose answer
was lost makes no second one. The last request of a notice leaves its number in the description.

Where the alert of a group is not there and the notice is not the first, somebody has deleted it there, or
earlier notices did not arrive. The two cannot be told apart, and what goes on must not pass unseen: a new one
is made. It is not made only to say that all is over.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from socme.identity import utc_now
from zeus_hub.notice import Notice
from zeus_hub.receivers.contract import DownError, Receipt, RefusedError
from zeus_hub.receivers.thehive import alert, standing
from zeus_hub.receivers.thehive.alert import Datum, Json
from zeus_hub.receivers.thehive.api import (
    MOST_COMMENTS,
    MOST_OBSERVABLES,
    Api,
    Held,
    Key,
    forbidden,
    held,
)
from zeus_hub.receivers.thehive.description import Told, told
from zeus_hub.receivers.thehive.line import FORBIDDEN, NOT_FOUND, Answer, Line, not_thehive
from zeus_hub.receivers.thehive.settings import TheHiveSettings, check
from zeus_hub.receivers.thehive.trial import trial

TYPES_SECONDS = 3600.0  # for which the data types of an organisation are not asked again
MOST_REFUSED = 10  # observables of one notice; from then on those that are refused together stay out together
MOST_BEGUN = 50  # notices that did not arrive as a whole, of which is remembered what TheHive refused of them
MOST_OWN_COMMENTS = 100  # on one alert; from then on its description alone tells what is new


@dataclass(slots=True)
class _Work:
    """One notice on its way."""

    notice: Notice
    api: Api
    key: Key
    types: Mapping[str, bool]
    data: tuple[Datum, ...]
    warnings: list[str] = field(default_factory=list)
    refused: int = 0
    """How many observables TheHive refused one by one."""


class TheHive:
    """A Receiver; see the module."""

    def __init__(
        self,
        settings: TheHiveSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        check(settings)
        self._settings = settings
        self._clock = clock
        self._now = now
        self._line = Line(settings, clock, sleep)
        self._types: dict[str, tuple[float, Mapping[str, bool]]] = {}
        self._refusals: dict[str, dict[Datum | str, str]] = {}

    async def send(self, notice: Notice) -> Receipt:
        """Make or change the alert of a group."""
        organisation = self._settings.organisation_of(notice.client)
        if not organisation:
            raise RefusedError(
                f'the client "{notice.client}" has no organisation in TheHive:'
                " name it in `organisations`, or set `organisation` for all that are not named"
            )
        work = await self._begin(notice, Api(self._line, organisation))
        there = await work.api.find(work.key)
        if there is not None:
            return await self._change(work, there)
        if notice.number > 1 and notice.reason == "over":
            return Receipt(warnings=("all is over, and TheHive has no alert that could say so",))
        if notice.number > 1:
            work.warnings.append(
                "TheHive had no alert for the group (deleted there, or earlier notices did not arrive):"
                " a new one was made"
            )
        return await self._create(work)

    async def test(self) -> str:
        """Look whether alerts could be made, in every organisation; make none."""
        return await trial(self._line, self._settings, self._now())

    async def close(self) -> None:
        """Let go of connections."""
        await self._line.close()

    async def _begin(self, notice: Notice, api: Api) -> _Work:
        types = await self._types_of(api)
        data, warnings = alert.data_of(notice.observables, types)
        key = Key(self._settings.type, self._settings.source, notice.group)
        return _Work(notice, api, key, types, data, warnings)

    async def _types_of(self, api: Api) -> Mapping[str, bool]:
        until, types = self._types.get(api.organisation, (float("-inf"), alert.PREDEFINED))
        if self._clock() >= until:
            types = await api.types() or alert.PREDEFINED
            self._types[api.organisation] = (self._clock() + TYPES_SECONDS, types)
        return types

    async def _create(self, work: _Work) -> Receipt:
        made = await work.api.create(alert.creation(work.notice, self._settings, work.data))
        if made.good:
            return await self._finish(work, _created(made, work))
        if made.status == FORBIDDEN:
            raise await self._forbidden(work.api, made)
        there = await work.api.find(work.key)
        if there is not None:
            return await self._change(work, there)
        # What is refused may be one part of it, which an attacker may have chosen: the alert goes without.
        bare = await self._create_bare(work)
        if not bare.good:
            raise await self._refused(work.api, bare)
        work.warnings.append(
            f"TheHive refused the alert as a whole, and took it piece by piece: {made.reason}"
        )
        return await self._change(work, _created(bare, work))

    async def _create_bare(self, work: _Work) -> Answer:
        """Make the least of an alert; without the case template, where that is what TheHive refuses."""
        made = await work.api.create(alert.bare_creation(work.notice, self._settings))
        template = self._settings.case_template
        if made.good or made.status == FORBIDDEN or not template:
            return made
        without = replace(self._settings, case_template="")
        bare = await work.api.create(alert.bare_creation(work.notice, without))
        if bare.good:
            work.warnings.append(f'TheHive refused the case template "{template}": {made.reason}')
        return bare

    async def _change(self, work: _Work, there: Held) -> Receipt:
        """Bring an alert up to date; whatever was done before is not done again."""
        if there.stage == "Closed" and work.notice.reason != "over":
            work.warnings.append("the alert is closed in TheHive, where nobody may see that it goes on")
        before = told(there.description)
        if before is None or before.number < work.notice.number:
            await self._add_observables(work, there)
            await self._add_comment(work, there, before)
        return await self._finish(work, there)

    async def _finish(self, work: _Work, there: Held) -> Receipt:
        """Do what remains, and remember that it was done."""
        notice = work.notice
        before = told(there.description)
        wanted = {tag: body for tag, body in alert.procedures(notice).items() if tag not in there.tags}
        if wanted:
            await self._add_procedures(work, there, list(wanted.values()))
        tags = [tag for tag in (*alert.tags(notice, self._settings), *wanted) if tag not in there.tags]
        body: Json = alert.update(notice, self._settings, before, there.severity)
        if tags:
            body["addTags"] = tags
        if body:
            await self._patch(work, there, body)
        refused = self._refusals.pop(there.id, {})
        return Receipt(there.id, tuple(dict.fromkeys((*work.warnings, *refused.values()))))

    async def _patch(self, work: _Work, there: Held, body: Json) -> None:
        answer = await self._put(work, there, body)
        pieces, rest = alert.apart(body)
        if not answer.good and pieces and answer.status not in (FORBIDDEN, NOT_FOUND):
            await self._patch_pieces(work, there, pieces)
            if not rest:
                return
            answer = await work.api.patch(there.id, rest)
        if answer.status == NOT_FOUND:  # the same is sent again, and then it is made anew
            raise DownError(f"the alert {there.id} was deleted in TheHive meanwhile ({answer.reason})")
        if answer.status == FORBIDDEN:
            raise await self._forbidden(work.api, answer)
        if not answer.good:
            raise await self._refused(work.api, answer)

    async def _put(self, work: _Work, there: Held, body: Json) -> Answer:
        """Change an alert, with the custom fields as people have them by now: it was read a while ago."""
        if "customFields" in body:
            now = await work.api.find(work.key)
            body = alert.beside(body, (now or there).fields)
        return await work.api.patch(there.id, body)

    async def _patch_pieces(self, work: _Work, there: Held, pieces: Mapping[str, Json]) -> None:
        """Change one thing after the other; what TheHive refuses is a warning."""
        for what, piece in pieces.items():
            answer = await self._put(work, there, piece)
            if not answer.good:
                work.warnings.append(f"TheHive refused the {what}: {answer.reason}")

    async def _add_observables(self, work: _Work, there: Held) -> None:
        if not work.data:
            return
        has = {alert.same(*each, work.types) for each in await work.api.observables(there.id)}
        refused = self._refused_of(there)
        new = [
            each
            for each in work.data
            if each not in refused and alert.same(each.type, each.data, work.types) not in has
        ]
        room = max(MOST_OBSERVABLES - max(there.observables, len(has)), 0)
        if len(new) > room:
            work.warnings.append(f"{len(new) - room} observables were left out: the alert has enough")
        alike: dict[tuple[str, bool], list[Datum]] = {}
        for each in new[:room]:
            alike.setdefault((each.type, each.ioc), []).append(each)
        for together in alike.values():
            await self._add_alike(work, there, together)

    async def _add_alike(self, work: _Work, there: Held, data: Sequence[Datum]) -> None:
        """Add observables; where TheHive refuses them together, in halves: one may keep out all."""
        answer = await work.api.add_observables(there.id, alert.observable_body(data, self._settings))
        if answer.good:
            return
        if len(data) > 1 and work.refused < MOST_REFUSED:
            await self._add_alike(work, there, data[: len(data) // 2])
            await self._add_alike(work, there, data[len(data) // 2 :])
            return
        work.refused += 1
        many = f"{len(data)} observables" if len(data) > 1 else "an observable"
        why = f"TheHive refused {many} of type {data[0].type}: {answer.reason}"
        self._refused_of(there).update(dict.fromkeys(data, why))

    async def _add_procedures(self, work: _Work, there: Held, bodies: Sequence[Json]) -> None:
        has, refused = await work.api.techniques(there.id), self._refused_of(there)
        for body in bodies:
            name = body["patternId"]
            if name in has or name in refused:
                continue
            answer = await work.api.add_procedure(there.id, body)
            if not answer.good:
                refused[name] = f"TheHive refused the technique {name}: {answer.reason}"

    async def _add_comment(self, work: _Work, there: Held, before: Told | None) -> None:
        if before is not None and before.number == 0:  # it was made for this very notice
            return
        comments = await work.api.comments(there.id)
        heading = alert.comment_heading(work.notice)
        ours = [each for each in comments if each.startswith("SOCme, notice ")]
        if any(each.startswith(heading) for each in ours):
            return
        if len(comments) >= MOST_COMMENTS or len(ours) >= MOST_OWN_COMMENTS:
            return
        answer = await work.api.add_comment(there.id, alert.comment(work.notice))
        if not answer.good:
            work.warnings.append(f"TheHive refused the comment: {answer.reason}")

    def _refused_of(self, there: Held) -> dict[Datum | str, str]:
        """Return what TheHive refused for an alert, and how, until the notice has arrived.

        Where a notice takes longer than it may, the next attempt goes on behind what was refused before.
        """
        self._refusals[there.id] = self._refusals.pop(there.id, {})  # the latest is forgotten last
        while len(self._refusals) > MOST_BEGUN:
            del self._refusals[next(iter(self._refusals))]
        return self._refusals[there.id]

    async def _forbidden(self, api: Api, answer: Answer) -> DownError:
        self._refusals.clear()  # what was refused may be taken once people have mended that
        trouble = standing.licence_trouble(await api.licence(), self._now())
        return DownError(trouble, misconfigured=True) if trouble else forbidden(answer, api.organisation)

    async def _refused(self, api: Api, answer: Answer) -> DownError | RefusedError:
        """Return the error for a refusal; one that a licence explains is none for good."""
        if answer.status == FORBIDDEN:
            return await self._forbidden(api, answer)
        self._refusals.clear()
        trouble = standing.licence_trouble(await api.licence(), self._now())
        if trouble:
            return DownError(trouble, misconfigured=True)
        return RefusedError(f"TheHive refuses the alert: {answer.reason}")


def _created(answer: Answer, work: _Work) -> Held:
    """Return the alert that was made."""
    row = answer.told()
    made = held(row, work.key) if isinstance(row, dict) else None
    if made is None:
        raise not_thehive(answer)
    return made
