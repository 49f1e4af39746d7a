"""What a group says: folded from its alerts, bounded whatever they say, and a notice made of it. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from socme.text import clean
from socme.v1.alert_pb2 import Threat
from socme.v1.watch_pb2 import StoredAlert
from socme.view import moment, source_name
from zeus_hub.notice import (
    MOST_MEMBERS,
    MOST_OBSERVABLES,
    MOST_TECHNIQUES,
    MOST_TITLES,
    Member,
    Notice,
    Observable,
    Technique,
    Title,
)
from zeus_hub.routes.due import Telling
from zeus_hub.routes.group import Group
from zeus_hub.routes.observables import observables

CANDIDATES = 64  # titles that are counted, so that the most frequent ones are among them
LONGEST_TITLE = 200  # characters
LONGEST_TEXT = 500  # characters of a field of a member
LONGEST_ID = 100  # characters of a rule's or technique's id, an address, a port
MOST_TACTICS = 14
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Summary(Struct, frozen=True, kw_only=True):
    """All that is remembered of what a group says."""

    first: datetime
    last: datetime
    count: int = 0
    severity: int = 0
    titles: tuple[Title, ...] = ()
    """In the order in which they were seen first; at most CANDIDATES. Where there are more, the rarest are
    forgotten with their counts, so no count is too high."""
    techniques: tuple[Technique, ...] = ()
    observables: tuple[Observable, ...] = ()
    """The first ones."""
    members: tuple[Member, ...] = ()
    """The latest, newest first."""


def fold(summary: Summary | None, alerts: Sequence[StoredAlert]) -> Summary:
    """Return a group's summary after alerts have come, of which there is at least one."""
    if summary is None:
        when = _received(alerts[0])
        summary = Summary(first=when, last=when)
    latest = [member(stored) for stored in reversed(alerts[-MOST_MEMBERS:])]
    return replace(
        summary,
        first=min(summary.first, _received(alerts[0])),
        last=max(summary.last, _received(alerts[-1])),
        count=summary.count + sum(weight(stored) for stored in alerts),
        severity=max(summary.severity, *(stored.alert.severity for stored in alerts)),
        titles=_titles(summary.titles, alerts),
        techniques=_techniques(summary.techniques, alerts),
        observables=_observables(summary.observables, alerts),
        members=(*latest, *summary.members)[:MOST_MEMBERS],
    )


def notice(group: Group, summary: Summary, telling: Telling, *, client_name: str) -> Notice:
    """Return what receivers are told."""
    frequent = sorted(summary.titles, key=lambda title: -title.count)[:MOST_TITLES]
    return Notice(
        group=group.id,
        number=telling.number,
        reason=telling.reason,
        route=group.route,
        client=group.client,
        client_name=client_name,
        labels=group.labels,
        severity=summary.severity,
        count=summary.count,
        fresh=telling.fresh,
        first=summary.first,
        last=summary.last,
        titles=tuple(frequent),
        techniques=summary.techniques,
        observables=summary.observables,
        members=summary.members,
    )


def weight(stored: StoredAlert) -> int:
    """Return how many alerts one stands for."""
    return stored.alert.count or 1


def title(stored: StoredAlert) -> str:
    """Return what an alert says, in short."""
    alert = stored.alert
    return clean(alert.rule.name or alert.message or f"rule {alert.rule.id}", LONGEST_TITLE)


def member(stored: StoredAlert) -> Member:
    """Return an alert as a notice shows it."""
    alert, received = stored.alert, _received(stored)
    given = alert.time if alert.HasField("time") else alert.observed
    happened = moment(given) if alert.HasField("time") or alert.HasField("observed") else None
    return Member(
        id=alert.id.hex(),
        node=clean(stored.node, LONGEST_ID),
        time=happened or received,
        received=received,
        severity=int(alert.severity),
        source=source_name(alert.source),
        rule_id=clean(alert.rule.id, LONGEST_ID),
        rule_name=clean(alert.rule.name, LONGEST_TEXT),
        message=clean(alert.message, LONGEST_TEXT),
        host=clean(alert.host.name, LONGEST_TEXT),
        user=clean(alert.user, LONGEST_TEXT),
        source_ip=clean(alert.source_endpoint.ip, LONGEST_ID),
        source_port=alert.source_endpoint.port,
        destination_ip=clean(alert.destination_endpoint.ip, LONGEST_ID),
        destination_port=alert.destination_endpoint.port,
        techniques=tuple(clean(each, LONGEST_ID) for each in alert.threat.technique_ids[:MOST_TECHNIQUES]),
        count=weight(stored),
    )


def _received(stored: StoredAlert) -> datetime:
    return moment(stored.received) or _EPOCH


def _titles(known: Sequence[Title], alerts: Iterable[StoredAlert]) -> tuple[Title, ...]:
    counts = {each.text: each.count for each in known}
    for stored in alerts:
        text = title(stored)
        if text not in counts and len(counts) >= CANDIDATES:
            del counts[min(counts, key=counts.__getitem__)]
        counts[text] = counts.get(text, 0) + weight(stored)
    return tuple(Title(text, count) for text, count in counts.items())


def _techniques(known: Sequence[Technique], alerts: Iterable[StoredAlert]) -> tuple[Technique, ...]:
    found = {each.id: each for each in known}
    for stored in alerts:
        threat = stored.alert.threat
        if threat.technique_ids and len(found) < MOST_TECHNIQUES:
            for one in _named(threat):
                if len(found) < MOST_TECHNIQUES or one.id in found:
                    found.setdefault(one.id, one)
    return tuple(found.values())


def _named(threat: Threat) -> Iterator[Technique]:
    """Yield techniques, with names and tactics as far as it is sure whose they are.

    The lists are not parallel.
    """
    ids, names, tactics = threat.technique_ids, threat.technique_names, threat.tactic_names
    shared = tuple(clean(each, LONGEST_ID) for each in tactics[:MOST_TACTICS])
    for number, one in enumerate(ids[:MOST_TECHNIQUES]):
        name = clean(names[number], LONGEST_TITLE) if len(names) == len(ids) else ""
        sure = len(ids) == 1 or len(tactics) == 1
        yield Technique(clean(one, LONGEST_ID), name, shared if sure else ())


def _observables(known: Sequence[Observable], alerts: Iterable[StoredAlert]) -> tuple[Observable, ...]:
    found = dict.fromkeys(known)
    for stored in alerts:
        if len(found) >= MOST_OBSERVABLES:
            break
        found.update(dict.fromkeys(observables(stored)))
    return tuple(found)[:MOST_OBSERVABLES]
