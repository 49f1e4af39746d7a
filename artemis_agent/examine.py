"""What a record is, and what the operator's rules make of it: normalise and filter in one. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import msgspec

from artemis_agent import canary, rollup
from artemis_agent.filter import Drop, verdict
from artemis_agent.normalise import Normalised, NotAnAlert, Undecodable, normalise
from artemis_agent.source import Kind, Record
from socme.v1.alert_pb2 import Severity


@dataclass(frozen=True, slots=True)
class Rules:
    """What is to be done with the alerts of one source."""

    kind: Kind
    source: str
    """The source's name."""
    min_severity: Severity.ValueType
    """Alerts below it stay on the site."""
    rolls_up: bool
    """Whether floods are rolled up."""
    canaries: bool = False
    """Whether these are the source's canaries: they all go, marked, and nothing else is done with them."""


class Found(msgspec.Struct, frozen=True, gc=False):  # as source.Record
    """An alert, and what may become of it."""

    payload: bytes
    """The serialised Alert message."""
    severity: int
    copy_key: int | None = None
    copy_of: int | None = None
    """See normalise.Normalised."""
    drop: str = ""
    """Why it stays on the site; empty when it goes."""
    key: bytes = b""
    """What it shares with those that it may be rolled up with; empty for one that goes alone."""
    time_us: int = 0
    """When it happened, of one that may be rolled up."""
    canary: int = 0
    """Its number, if it is a canary."""


class Bad(msgspec.Struct, frozen=True):
    """A record that could not be decoded."""

    record: Record
    reason: str


Examined: TypeAlias = Found | Bad


def examine(record: Record, rules: Rules, observed: datetime) -> Examined | None:
    """Return what a record is and what is to become of it; None for one that is no alert."""
    match normalise(record, kind=rules.kind, origin=rules.source, observed=observed):
        case NotAnAlert():
            return None
        case Undecodable(reason):
            return Bad(record, reason)
        case normalised:
            return _canary(normalised, rules) if rules.canaries else _found(normalised, rules)


def dropped(found: Found, reason: str) -> Found:
    """Return an alert as one that stays on the site."""
    return msgspec.structs.replace(found, drop=reason)


def _found(normalised: Normalised, rules: Rules) -> Found:
    alert = normalised.alert
    judged = verdict(alert, rules.min_severity)
    drop = judged.reason if isinstance(judged, Drop) else ""
    payload = alert.SerializeToString()
    may_be_held = rules.rolls_up and not drop and len(payload) <= rollup.LARGEST
    return Found(
        payload=payload,
        severity=alert.severity,
        copy_key=normalised.copy_key,
        copy_of=normalised.copy_of,
        drop=drop,
        key=rollup.key(alert) if may_be_held else b"",
        time_us=rollup.time_us(alert) if may_be_held else 0,
    )


def _canary(normalised: Normalised, rules: Rules) -> Found:
    alert = canary.mark(normalised.alert, source=rules.source)
    return Found(alert.SerializeToString(), alert.severity, canary=alert.canary.number)
