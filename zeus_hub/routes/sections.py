"""What may stand in a file of routes.d, table by table; each by itself, without what the others say."""

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from socme import severity
from socme.settings import Section
from zeus_hub.routes import durations, hush
from zeus_hub.routes.checker import nearest
from zeus_hub.routes.facts import FIELDS, scalars
from zeus_hub.routes.matcher import Matcher, matcher
from zeus_hub.routes.syntax import MatcherError

MOST_PEOPLE = 1000  # of a rota
MOST_NAMED = 100  # receivers, clients, fields or times in one list
LONGEST_NAME = 63
_CLOCK = re.compile(r"\d\d:\d\d")


def _field(given: object) -> str:
    path, known = str(given), list(scalars())
    if path in known:
        return path
    if path in FIELDS:
        raise ValueError(f"{path} is a list, of which an alert may have many at once: take another field")
    raise ValueError(f"there is no field {path}{nearest(path, known)}")


def _matcher(text: object) -> Matcher:
    if not isinstance(text, str):
        raise ValueError("write it in quotes")  # noqa: TRY004 - pydantic collects these alone
    try:
        return matcher(text)
    except MatcherError as error:
        place = {"line": error.line, "column": error.column, "reason": error.reason}
        raise PydanticCustomError("matcher", "column {column} of it: {reason}", place) from error


def _days(text: object) -> frozenset[int]:
    return hush.days(str(text))


def _span(text: object) -> hush.Span:
    return hush.span(str(text))


def _dates(text: object) -> Any:  # noqa: ANN401 - a pair of dates, which pydantic would read anew
    return hush.dates(str(text))


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError('give a time zone as "Europe/Paris"') from error
    except KeyError as error:
        raise ValueError(
            f'there is no time zone {str(name)[:LONGEST_NAME]!r}; they are as "Europe/Paris"'
        ) from error


def _clock(text: object) -> time:
    try:
        found = time.fromisoformat(text) if isinstance(text, str) and _CLOCK.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError('give the time of day as "07:30"')
    return found


def _beside(name: str) -> str:
    if name != Path(name).name or name in (".", ".."):
        raise ValueError("name a file that lies beside the rules: only those are looked at for changes")
    return name


Name = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9][A-Za-z0-9 ._-]{{0,{LONGEST_NAME - 1}}}$")]
Span = Annotated[float, BeforeValidator(durations.seconds)]
SpanAboveZero = Annotated[float, BeforeValidator(durations.seconds), Field(ge=1)]
FieldName = Annotated[str, BeforeValidator(_field)]
Expression = Annotated[Any, BeforeValidator(_matcher)]
"""CEL; a Matcher."""
Zone = Annotated[Any, BeforeValidator(_zone)]  # a ZoneInfo, which older pydantic does not know
Receivers = Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_NAMED)]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST_NAMED)]
FieldNames = Annotated[tuple[FieldName, ...], Field(max_length=MOST_NAMED)]


class EscalationSection(Section):
    """One step of `escalate`."""

    after: SpanAboveZero
    """How long nobody may have acknowledged anything since the first notice."""

    receivers: Receivers
    """Who is told then, beside those before."""


class RouteSection(Section):
    """[[route]]: which alerts are told together, to whom and when."""

    name: Name
    """Unlike all other routes'."""

    clients: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_NAMED)] | None = None
    """Ids of the clients that it is for. None: all."""

    match: Expression = None
    """A CEL expression; None: every alert."""

    group_by: FieldNames = ("client", "rule.id")
    """What the alerts of a group have in common; `client` is always part of it, so that no two clients ever
    share a group."""

    group_wait: Span = 30
    """How long the first notice of a group waits for companions, and for what inhibits it."""

    group_interval: SpanAboveZero = 300
    """How often, after that, it is looked whether there is something to tell."""

    repeat_interval: SpanAboveZero = 14_400
    """After how long without any news the group is told again while nobody has acknowledged its alerts;
    rounded up to the next look."""

    resolve_after: SpanAboveZero = 86_400
    """A group that nothing has come into for this long is over without a word."""

    receivers: Receivers
    """Who is told."""

    continue_: Annotated[bool, Field(alias="continue")] = False
    """Whether the routes below are tried, too. Otherwise the first that matches is the only one."""

    mute: Names = ()
    """Names of [[mute]] tables: at these times nobody is told; what still fires after them is told then."""

    active: Names = ()
    """Names of [[mute]] tables: only at these times somebody is told. Empty: always."""

    urgent: Literal["low", "medium", "high", "critical", "never"] = "critical"
    """The severity from which the first notice does not wait."""

    escalate: Annotated[tuple[EscalationSection, ...], Field(max_length=MOST_NAMED)] = ()
    """Who else is told where nobody acknowledges."""

    @model_validator(mode="after")
    def _spans_fit(self) -> Self:
        """Refuse spans by which a group could end before anybody is told of it."""
        longest = max(self.group_wait, self.group_interval)
        if self.resolve_after <= longest:
            raise ValueError(
                f"resolve_after must be longer than {durations.written(longest)}, or nobody is told"
            )
        steps = [step.after for step in self.escalate]
        if steps != sorted(set(steps)):
            raise ValueError("each step of escalate must come later than the one before it")
        return self

    def severity(self) -> int | None:
        """Return the severity from which nobody waits; None for none."""
        return None if self.urgent == "never" else int(severity.named(self.urgent))


class InhibitSection(Section):
    """[[inhibit]]: what need not be told while something worse is known."""

    source: Expression
    """A CEL expression: while such an alert fires (it is open, and no day went by since without another) …"""

    target: Expression
    """… nobody is told of such alerts. One that matches both does not inhibit itself."""

    equal: FieldNames = ()
    """Fields that both must have alike; `client` is always one of them."""


class MuteSection(Section):
    """[[mute]]: times, which routes name in `mute` or `active`."""

    name: Name
    """Unlike all others'."""

    days: Annotated[
        tuple[Annotated[frozenset[int], BeforeValidator(_days)], ...], Field(max_length=MOST_NAMED)
    ] = ()
    """Of the week: "mon", or "mon-fri". Empty: all."""

    times: Annotated[
        tuple[Annotated[hush.Span, BeforeValidator(_span)], ...], Field(max_length=MOST_NAMED)
    ] = ()
    """As "22:00-06:00"; past midnight they belong to the day that they begin on. Empty: the whole day."""

    dates: Annotated[tuple[Annotated[Any, BeforeValidator(_dates)], ...], Field(max_length=MOST_NAMED)] = ()
    """As "2026-12-25", or "2026-12-24/2027-01-02" with both ends. Empty: all."""

    zone: Zone
    """Whose clock it is, as "Europe/Paris"."""

    def hush(self) -> hush.Hush:
        """Return the times."""
        days = frozenset().union(*self.days) if self.days else frozenset(range(len(hush.DAYS)))
        return hush.Hush(self.name, days, self.times or (hush.ALL_DAY,), self.dates, self.zone)


class RotaSection(Section):
    """[rota.NAME]: a name for whoever is on call, which may stand where a receiver's may in a route."""

    calendar: Annotated[str, AfterValidator(_beside)]
    """A file beside the rules (iCalendar), whose events bear the names of those on call."""

    zone: Zone
    """Of times in it that have none, as "Europe/Paris"."""

    people: Annotated[
        dict[Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)], Name],
        Field(min_length=1, max_length=MOST_PEOPLE),
    ]
    """Receivers, by the names that the calendar has: { "Ada Lovelace" = "ada" }."""

    otherwise: Name
    """The receiver where nobody is on call, or somebody whom `people` does not name."""


class ReportSection(Section):
    """[[report]]: what is told of clients every day or every month."""

    name: Name
    """Unlike all other reports'."""

    kind: Literal["day", "month"]
    """ "day": of the day before; "month": of the month before, on the first."""

    clients: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_NAMED)] | None = None
    """Ids of the clients; each has a report of its own. None: all that are enabled."""

    at: Annotated[time, BeforeValidator(_clock)]
    """When it is sent, as "07:30"."""

    zone: Zone
    """Whose days they are and whose clock it is, as "Europe/Paris"; times in the report are of it, too."""

    receivers: Receivers
    """Who is told: receivers of kind "mail"."""


class RulesFile(Section):
    """One file of routes.d."""

    route: tuple[RouteSection, ...] = ()
    """Tried in the order of the files' names, and from top to bottom."""

    inhibit: tuple[InhibitSection, ...] = ()
    """What inhibits what."""

    mute: tuple[MuteSection, ...] = ()
    """Times with names."""

    report: tuple[ReportSection, ...] = ()
    """What is told of days and months."""

    rota: dict[Name, RotaSection] = Field(default_factory=dict)
    """[rota.NAME]: who is on call."""

    receiver: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """[receiver.NAME]: `kind`, and what that kind wants to know."""
