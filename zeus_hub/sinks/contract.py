"""What Zeus asks of a sink, and what a sink may answer."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from zeus_hub.enrich import Arrival, Unreadable

Prepared = TypeVar("Prepared")


class SinkDownError(Exception):
    """The sink cannot take anything now; the message says why. The same is sent again later."""


class Sink(Protocol[Prepared]):
    """A place that alerts are delivered to, each at least once, in the journal's order.

    What can be made of a batch without the place itself is made by `prepare`, for any batch at any time, from
    another thread than that of `send`, while it sends what came before; it changes nothing and cannot fail.

    Zeus calls `send` from one thread at a time, with consecutive journal entries that follow `position`.
    Where it returns, the sink has them all and has made its new position durable; they are not sent
    again. Where it raises SinkDownError, nothing counts as sent, whatever was, and the same entries (and
    perhaps more) are sent again later: the sink must treat an alert that it holds already, by client,
    node and Alert.id, as done. The same holds after a crash between the two.

    Canaries (Arrival.canaries) are no alerts: a sink passes none of them on and counts none among its
    alerts. That `send` returned says that they got this far.

    A batch that cannot be read comes as Unreadable, in its place in the order. The sink may set it aside
    or ignore it; it must move on. Nothing in an alert is a reason to raise: what a sink cannot take it
    counts and leaves out. No retrying, no waiting longer than a few seconds, no threads.
    """

    @property
    def name(self) -> str:
        """What it is called in the settings, the database and the log."""

    def position(self) -> int:
        """Return the journal position up to and with which the sink has everything; 0 for nothing."""

    def prepare(self, arrival: Arrival) -> Prepared:
        """Return what `send` takes in the place of a batch."""

    def send(self, batches: Sequence[Prepared | Unreadable]) -> None:
        """Take batches over."""

    def close(self) -> None:
        """Let go of files and connections; the last call, from the thread of `send`."""
