"""How fast nodes may go: the window that each is given, how often it may speak, when it should come back.

Pure: what is known goes in, what is to be told comes out.
"""

from dataclasses import dataclass

RETRY_SECONDS = 1.0  # how long the first nodes should wait when the hub stops
RETURNS_A_SECOND = 50  # nodes that a small hub lets in without falling behind: each is a TLS handshake
TALK_SECONDS = 1.0  # in which a node may send MOST_TALK messages that are no batches
MOST_TALK = 50


@dataclass(frozen=True, slots=True)
class Window:
    """Unacknowledged batches that the hub is ready to hold of one node."""

    batches: int
    bytes: int
    reason: str = ""
    """Why it is smaller than usual, for people; empty where it is not."""


FULL = Window(64, 4 * 1024 * 1024)
_BUSY = "much waits for the hub's disk"
# From how much on of what may wait a window holds, and until it has fallen to how much. The two are far
# apart, so that nodes are not told one thing and then the other all the time.
_STEPS = (
    (0.75, 0.5, Window(4, FULL.bytes // 16, _BUSY)),
    (0.5, 0.25, Window(16, FULL.bytes // 4, _BUSY)),
)


def window(before: Window, *, share: float, problem: str) -> Window:
    """Return what to tell nodes now, given what they were told `before`.

    `share` of what may wait for the disk does (0 to 1); `problem` says why nothing can be written, if so.
    """
    if problem:
        return Window(0, 0, f"the hub cannot write: {problem}")
    for upper, lower, smaller in _STEPS:
        held = before.batches <= smaller.batches  # it was this one, or an even smaller one
        if share >= (lower if held else upper):
            return smaller
    return FULL


def retry_after(rank: int, drawn: float) -> float:
    """Return after how many seconds the node that is told so as number `rank` (from 0) should come back.

    `drawn` evenly from 0 to 1. All that were connected come back one after another, however many.
    """
    return RETRY_SECONDS + (rank + drawn) / RETURNS_A_SECOND


@dataclass(slots=True)
class Talk:
    """How much a node says beside its batches; who says too much is listened to more slowly."""

    _since: float = float("-inf")
    _messages: int = 0

    def heard(self, now: float) -> float:
        """Take note of a message; return how many seconds to wait before the next is read."""
        if now - self._since >= TALK_SECONDS:
            self._since, self._messages = now, 0
        self._messages += 1
        return self._since + TALK_SECONDS - now if self._messages >= MOST_TALK else 0.0
