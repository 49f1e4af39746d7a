"""What is kept in a database of groups and of what went into them, as bytes that know their version. Pure."""

import msgspec

from zeus_hub.routes.group import Group, Ticket
from zeus_hub.routes.inhibition import Source
from zeus_hub.routes.steady import Steady
from zeus_hub.routes.summary import Summary

VERSION = 1  # of what encode() writes; decode() takes this one and all before it


class Row(msgspec.Struct, frozen=True):
    """A group and what it says."""

    group: Group
    summary: Summary


class Routed(msgspec.Struct, frozen=True):
    """Where an alert went; kept beside it, so that what people do about it finds its groups."""

    tickets: tuple[Ticket, ...] = ()
    fires: tuple[str, ...] = ()
    """Sources of inhibitions that it is one of."""
    told: bool = False
    """Whether its node told people of it itself."""
    came: float = 0.0
    """When that was, in seconds of the steady clock."""


class _Versioned(msgspec.Struct, frozen=True, array_like=True):
    version: int
    content: msgspec.Raw


Kept = Row | Source | Steady | Routed


def encode(kept: Kept) -> bytes:
    """Return something as it is kept."""
    return _ENCODER.encode(_Versioned(VERSION, msgspec.Raw(_ENCODER.encode(kept))))


def decode_row(kept: bytes) -> Row:
    """Return a group; raise ValueError where it was written by a later version, or is damaged."""
    return _ROWS.decode(_content(kept))


def decode_routed(kept: bytes) -> Routed:
    """Return where an alert went; raise ValueError as decode_row does."""
    return _ROUTED.decode(_content(kept))


def decode_source(kept: bytes) -> Source:
    """Return what fires; raise ValueError as decode_row does."""
    return _SOURCES.decode(_content(kept))


def decode_steady(kept: bytes) -> Steady:
    """Return the clock; raise ValueError as decode_row does."""
    return _STEADIES.decode(_content(kept))


def _content(kept: bytes) -> msgspec.Raw:
    versioned = _VERSIONED.decode(kept)
    if versioned.version > VERSION:
        raise ValueError(f"it was written by a later version of Zeus ({versioned.version})")
    return versioned.content


_ENCODER = msgspec.json.Encoder()
_VERSIONED = msgspec.json.Decoder(_Versioned)
_ROWS = msgspec.json.Decoder(Row)
_ROUTED = msgspec.json.Decoder(Routed)
_SOURCES = msgspec.json.Decoder(Source)
_STEADIES = msgspec.json.Decoder(Steady)
