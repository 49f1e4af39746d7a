"""How a connection to the hub ended, as far as the next one depends on it. Pure."""

from dataclasses import dataclass
from typing import TypeAlias

from socme.text import clean

LONGEST_REASON = 300  # characters of what a hub says

# Status codes of gRPC by name: this module waits for nothing and asks nobody.
_REFUSALS = {"PERMISSION_DENIED", "UNAUTHENTICATED"}
# What the next connection would meet again. ABORTED: another machine took this node's place; if each took it
# back at once, they would do so for ever.
_AGAIN = {"ABORTED", "FAILED_PRECONDITION", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"}


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection failed or ended; try again soon, at the next address."""

    reason: str
    steady: bool
    """Whether it had been of use before, so that the pauses begin small again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This node may not connect as it is; try again, but slowly."""

    reason: str


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The hub asked to come back later."""

    reason: str
    seconds: float
    """What it asked for; any number."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The hub takes everything but one batch; come back at once without it."""

    epoch: bytes
    """Of the spool when the batch was sent: in another epoch its number stands for another batch."""
    lane: int
    sequence: int
    reason: str
    """What the hub says, made safe to show."""
    useful: bool
    """Whether the hub took another batch first."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """The spool began a new epoch, which only a new Hello tells; come back at once."""

    reason: str


Outcome: TypeAlias = Lost | Refused | Dismissed | Rejected | Renewed


def judge(code: str, told: str, *, steady: bool, welcomed: bool) -> Lost | Refused:
    """Return what a failed call means for the next one.

    `code` is the name of gRPC's status, `told` what it says, `welcomed` whether the hub had answered Hello.
    """
    details = clean(told, LONGEST_REASON)
    if code in _REFUSALS:
        return Refused(details)
    if code == "OK":
        return Lost("the hub closed the stream", steady)
    reason = f"{code}: {details}"
    if "Socket closed" in details and not welcomed:  # all that TLS 1.3 tells a client that it refuses
        reason += " (the hub may have refused the certificate; `artemis check` tells)"
    return Lost(reason, steady and code not in _AGAIN)
