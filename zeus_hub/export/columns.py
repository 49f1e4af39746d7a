"""An alert as one row of a table: the columns of CSV and Parquet.

Other programs rely on their names and their order; a new one is put behind the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from google.protobuf.timestamp_pb2 import Timestamp

from socme import severity, triage
from socme.v1.watch_pb2 import StoredAlert
from socme.view import action_name, moment, source_name


class Kind(Enum):
    """What a column holds; None where an alert has nothing for it."""

    TEXT = auto()
    NUMBER = auto()  # whole
    TIME = auto()  # an aware datetime
    TEXTS = auto()  # a list, empty where there are none
    FLAG = auto()
    BYTES = auto()


Value = str | int | datetime | list[str] | bool | bytes | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and how it is read from an alert."""

    name: str
    kind: Kind
    read: Callable[[StoredAlert], Value]


def row(stored: StoredAlert) -> list[Value]:
    """Return an alert's values, in the order of COLUMNS."""
    return [column.read(stored) for column in COLUMNS]


def _columns() -> Iterator[Column]:
    yield Column("id", Kind.TEXT, lambda one: one.alert.id.hex())
    yield Column("client", Kind.TEXT, lambda one: one.client)
    yield Column("node", Kind.TEXT, lambda one: one.node)
    yield Column("time", Kind.TIME, _time)
    yield Column("received", Kind.TIME, lambda one: _moment(one.received, given=one.HasField("received")))
    yield Column("sensor", Kind.TEXT, lambda one: source_name(one.alert.source))
    yield Column("severity", Kind.TEXT, lambda one: severity.name(one.alert.severity))
    yield Column("count", Kind.NUMBER, lambda one: one.alert.count or 1)
    yield Column("action", Kind.TEXT, lambda one: action_name(one.alert.action))
    yield from _said()
    yield from _ends()
    yield from _things()
    yield from _beside()


def _said() -> Iterator[Column]:
    """Yield what the rule says."""
    yield Column("rule_id", Kind.TEXT, lambda one: one.alert.rule.id or None)
    yield Column("rule_name", Kind.TEXT, lambda one: one.alert.rule.name or None)
    yield Column(
        "rule_level",
        Kind.NUMBER,
        lambda one: one.alert.rule.level if one.alert.rule.HasField("level") else None,
    )
    yield Column("rule_category", Kind.TEXT, lambda one: one.alert.rule.category or None)
    yield Column("rule_groups", Kind.TEXTS, lambda one: list(one.alert.rule.groups))
    yield Column("technique_ids", Kind.TEXTS, lambda one: list(one.alert.threat.technique_ids))
    yield Column("tactic_names", Kind.TEXTS, lambda one: list(one.alert.threat.tactic_names))
    yield Column("message", Kind.TEXT, lambda one: one.alert.message or None)


def _ends() -> Iterator[Column]:
    """Yield where from and where to."""
    yield Column("source_ip", Kind.TEXT, lambda one: one.alert.source_endpoint.ip or None)
    yield Column("source_port", Kind.NUMBER, lambda one: one.alert.source_endpoint.port or None)
    yield Column("destination_ip", Kind.TEXT, lambda one: one.alert.destination_endpoint.ip or None)
    yield Column("destination_port", Kind.NUMBER, lambda one: one.alert.destination_endpoint.port or None)
    yield Column("transport", Kind.TEXT, lambda one: one.alert.network.transport or None)
    yield Column("protocol", Kind.TEXT, lambda one: one.alert.network.protocol or None)
    yield Column("community_id", Kind.TEXT, lambda one: one.alert.network.community_id or None)


def _things() -> Iterator[Column]:
    """Yield what it concerns."""
    yield Column("host_name", Kind.TEXT, lambda one: one.alert.host.name or None)
    yield Column("host_ip", Kind.TEXT, lambda one: one.alert.host.ip or None)
    yield Column("user", Kind.TEXT, lambda one: one.alert.user or None)
    yield Column("process", Kind.TEXT, lambda one: one.alert.process or None)
    yield Column("file_path", Kind.TEXT, lambda one: one.alert.file.path or None)
    yield Column("file_sha256", Kind.TEXT, lambda one: one.alert.file.sha256 or None)
    yield Column("url", Kind.TEXT, lambda one: one.alert.url or None)
    yield Column("domain", Kind.TEXT, lambda one: one.alert.domain or None)


def _beside() -> Iterator[Column]:
    """Yield what stands beside an alert: its times as a roll-up, what people did, the line."""
    yield Column("first", Kind.TIME, lambda one: _moment(one.alert.first, given=one.alert.HasField("first")))
    yield Column("last", Kind.TIME, lambda one: _moment(one.alert.last, given=one.alert.HasField("last")))
    yield Column("status", Kind.TEXT, lambda one: triage.status_name(one.triage.status or triage.NEW))
    yield Column("verdict", Kind.TEXT, lambda one: triage.VERDICTS.get(one.triage.verdict))
    yield Column("owner", Kind.TEXT, lambda one: one.triage.owner or None)
    yield Column("raw", Kind.BYTES, lambda one: one.alert.raw)
    yield Column("raw_cut", Kind.FLAG, lambda one: one.alert.raw_cut)
    yield Column("user_agent", Kind.TEXT, lambda one: one.alert.user_agent or None)


def _time(stored: StoredAlert) -> datetime | None:
    """Return when it happened, as `--json` says it."""
    alert = stored.alert
    return (
        _moment(alert.time, given=alert.HasField("time"))
        or _moment(alert.observed, given=alert.HasField("observed"))
        or _moment(stored.received, given=stored.HasField("received"))
    )


def _moment(time: Timestamp, *, given: bool) -> datetime | None:
    return moment(time) if given else None


COLUMNS = tuple(_columns())
