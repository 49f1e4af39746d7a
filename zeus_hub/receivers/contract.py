"""What Zeus asks of a receiver, and what a receiver may answer."""

from dataclasses import dataclass
from typing import Protocol

from zeus_hub.notice import Notice


class DownError(Exception):
    """The receiver cannot take anything now; the message says why, without secrets. The same is sent again.

    `retry_after`: seconds that the other side asked for. `misconfigured`: no waiting mends it (a wrong key, a
    missing permission, a licence that is read-only); people are told, and nothing is given up. `part`: what
    alone takes nothing, where the receiver has parts that clients are told in, as "organisation acme"; empty
    for all of it. `alone`: the receiver is well, and took this very notice for some people; it waits by
    itself until it is sent again, to the others.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        misconfigured: bool = False,
        part: str = "",
        alone: bool = False,
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.misconfigured = misconfigured
        self.part = part
        self.alone = alone


class RefusedError(Exception):
    """The other side refuses this notice for good; the message says why. It is set aside for people."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a notice."""

    reference: str = ""
    """What the other side calls it, as TheHive's id of the alert; empty where it has no name."""
    warnings: tuple[str, ...] = ()
    """What was left out of it, and why."""


class Receiver(Protocol):
    """A place that is told of groups of alerts, each notice at least once, those of a group in order.

    The same notice may come again (a crash, a time-out after the other side had it): by `Notice.group` and
    `Notice.number` the receiver makes sure that nobody sees it twice, as far as the other side allows.
    Between two notices of a group some may be left out: each tells of the whole.

    No retrying, no waiting longer than its own time limits, no threads that outlive `close`. Nothing in a
    notice is a reason for another exception than RefusedError.
    """

    async def send(self, notice: Notice) -> Receipt:
        """Tell; raise DownError or RefusedError."""

    async def test(self) -> str:
        """Send something harmless, or look whether sending would work; return what was found in a sentence.

        Raise DownError or RefusedError with a message that names the trouble and its mend.
        """

    async def close(self) -> None:
        """Let go of connections; the last call."""
