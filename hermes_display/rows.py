"""A row of the feed: an alert, or several that say the same, cleaned and cut."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hermes_display import tally
from hermes_display.triage import Stage, stage
from socme.text import clean
from socme.v1.alert_pb2 import Alert, AlertSource, ConditionState
from socme.v1.watch_pb2 import StoredAlert
from socme.view import moment

LONGEST_TITLE = 160  # characters
LONGEST_NAME = 64  # characters; client and node names are shorter, host names may not be
LONGEST_FACT = 100  # characters; two addresses of IPv6 with an arrow between them are 81
MOST_MEMBERS = 256  # alerts of which a row knows what became of each; older ones are counted together

_SOURCES = {AlertSource.ALERT_SOURCE_WAZUH: "wazuh", AlertSource.ALERT_SOURCE_SURICATA: "suricata"}
_REST = ""  # the member that stands for those that are counted together


@dataclass(frozen=True, slots=True)
class Row:
    """An alert in the feed, or alerts that differ in nothing that is shown."""

    key: str
    """Of the first of them; unique on a board."""
    client: str
    severity: int
    title: str
    facts: tuple[str, ...]
    """Host, addresses, techniques: what the alert has of them."""
    source: str
    """Which program raised it; empty where that is not known, or SOCme itself."""
    received: datetime | None
    """When the latest of them came."""
    members: Mapping[str, int]
    """The alerts, none of which is closed, and how many each stands for."""
    acknowledged: frozenset[str] = frozenset()
    """Those of them that somebody looks after."""
    owner: str = ""
    """Who; of the latest that somebody took."""

    @property
    def count(self) -> int:
        """Return how many alerts it stands for."""
        return sum(self.members.values())

    @property
    def is_handled(self) -> bool:
        """Tell whether somebody looks after all of them, as far as is known of each."""
        return self.members.keys() <= self.acknowledged | {_REST}


def key(client: str, node: str, alert_id: bytes) -> str:
    """Return what tells an alert from all others."""
    return f"{name(client)}/{name(node)}/{alert_id[:16].hex()}"


def read(stored: StoredAlert) -> Row:
    """Return an alert as a row."""
    alert = stored.alert
    found = key(stored.client, stored.node, alert.id)
    handled = stage(stored.triage.status) is Stage.ACKNOWLEDGED
    return Row(
        key=found,
        client=name(stored.client),
        severity=tally.known(alert.severity),
        title=clean(title(alert), LONGEST_TITLE),
        facts=tuple(clean(fact, LONGEST_FACT) for fact in facts(alert)),
        source=_SOURCES.get(alert.source, ""),
        received=time(stored.received),
        members={found: max(1, alert.count)},
        acknowledged=frozenset((found,) if handled else ()),
        owner=name(stored.triage.owner),
    )


def says_the_same(one: Row, other: Row) -> bool:
    """Tell whether two rows differ in nothing that is shown but the time."""
    return (one.severity, one.client, one.title, one.facts) == (
        other.severity,
        other.client,
        other.title,
        other.facts,
    )


def joined(row: Row, newer: Row) -> Row:
    """Return a row that stands for the alerts of another one, too."""
    members = dict(row.members)
    for member, count in newer.members.items():
        if member not in members and len(members) >= MOST_MEMBERS:
            oldest = next(each for each in members if each != _REST)
            members[_REST] = members.get(_REST, 0) + members.pop(oldest)
        members[member] = count
    return replace(
        row,
        received=newer.received or row.received,
        members=members,
        acknowledged=(row.acknowledged | newer.acknowledged) & members.keys(),
        owner=newer.owner or row.owner,
    )


def triaged(row: Row, member: str, after: Stage, owner: str) -> Row | None:
    """Return a row after somebody did something about one of its alerts; None where none is left.

    With the last that is known by itself go those that are counted together: a person who is done with
    hundreds that say the same is done with the older ones, too. The hub's next count puts it right if not.
    """
    if member not in row.members:
        return row
    if after is Stage.CLOSED:
        members = {each: count for each, count in row.members.items() if each != member}
        if members.keys() <= {_REST}:
            return None
        return replace(row, members=members, acknowledged=row.acknowledged - {member})
    if after is Stage.ACKNOWLEDGED:
        return replace(row, acknowledged=row.acknowledged | {member}, owner=owner)
    return replace(row, acknowledged=row.acknowledged - {member}, owner="")


def title(alert: Alert) -> str:
    """Return what to call an alert on one line; not cleaned."""
    return alert.rule.name or alert.message or f"rule {alert.rule.id or '?'}"


def facts(alert: Alert) -> tuple[str, ...]:
    """Return what tells alerts of one rule apart: host, addresses, techniques; not cleaned."""
    ends = [end.ip for end in (alert.source_endpoint, alert.destination_endpoint) if end.ip]
    return tuple(
        fact
        for fact in (alert.host.name, " → ".join(ends), *alert.threat.technique_ids[:2], alert.user)
        if fact
    )


def is_end(alert: Alert) -> bool:
    """Tell whether an alert of the hub's own says that something is over."""
    return (
        alert.source == AlertSource.ALERT_SOURCE_SOCME
        and alert.condition.state == ConditionState.CONDITION_STATE_CLEARED
    )


def name(text: str) -> str:
    """Return a short text, cleaned and cut."""
    return clean(text, LONGEST_NAME)


def time(told: Timestamp) -> datetime | None:
    """Return a time; None where it is missing (a message that was not sent reads as 1970) or nonsense."""
    return moment(told) if told.seconds > 0 else None
