"""What one commit of the spool keeps."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from socme.v1.uplink_pb2 import Lane


class Waiting(msgspec.Struct, frozen=True, gc=False):  # as source.Record
    """An alert that is to be sent."""

    payload: bytes
    """The serialised Alert message."""
    lane: int = Lane.LANE_NORMAL
    """How urgent it is (socme.v1.Lane)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What one commit keeps: alerts, and how far their source has been read."""

    source: str
    """Its name."""
    position: bytes
    """Where it stands, opaque."""
    counters: bytes
    """Its totals, opaque."""
    alerts: Sequence[Waiting] = ()
    """In order; each lane keeps its own."""
    tally: Mapping[str, int] = field(default_factory=dict)
    """What became of the lines since the last commit, by the ledger's keys: "read", "not_alert",
    "undecodable", "rolled_up", "made", "filtered:<rule>". The others are the spool's to count."""
    also: Callable[[sqlite3.Connection], None] | None = None
    """What else belongs into the transaction."""
