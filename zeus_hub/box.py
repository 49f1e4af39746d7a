"""What a postman goes between: the box in which letters wait for a receiver, and who takes them."""

from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from zeus_hub.receivers.contract import Receipt


class UnreadableError(Exception):
    """A letter is damaged in the database."""


class Item(Protocol):
    """Something on its way to a receiver."""

    @property
    def number(self) -> int:
        """Of no other one in its box."""

    @property
    def due(self) -> datetime:
        """When it is to be told."""

    @property
    def client(self) -> str:
        """Whose it is."""

    @property
    def about(self) -> str:
        """What it is about, for people; no secret, and nothing from an alert."""

    @property
    def attempts(self) -> int:
        """How often it was tried in vain since somebody last asked for it."""

    @property
    def reason(self) -> str:
        """Why it did not arrive the last time; empty where nobody tried."""

    @property
    def in_part(self) -> bool:
        """Whether some people at the receiver have it, and it waits for the others."""


Sent = TypeVar("Sent", bound=Item)


class Box(Protocol[Sent]):
    """Where letters wait until they are told or refused, as the module outbox; all within a transaction."""

    def next_of(self, connection: Connection, receiver: str, now: datetime, /) -> Sent | None:
        """Return what a receiver is to be told next, or what is due first; None for nothing.

        Raise UnreadableError where that is damaged.
        """

    def told(self, connection: Connection, letter: Sent, receipt: Receipt, now: datetime, /) -> None:
        """Note that a receiver has it."""

    def refused(self, connection: Connection, letter: Sent, reason: str, now: datetime, /) -> None:
        """Set it aside: the receiver will never take it."""

    def postponed(self, connection: Connection, letter: Sent, reason: str, due: datetime, /) -> None:
        """Note that it did not arrive, and when to try again."""

    def told_in_part(
        self, connection: Connection, letter: Sent, reason: str, due: datetime, now: datetime, /
    ) -> None:
        """Note that some people at the receiver have it, why others do not, and when to try those again."""

    def move(self, connection: Connection, receiver: str, due: datetime, *, sooner: bool) -> None:
        """Let everything that waits be due then, as far as that is sooner, or later, than it is."""

    def skip_unreadable(self, connection: Connection, receiver: str, now: datetime, /) -> int:
        """Set aside what waits and cannot be read; return how many letters that are."""


class Destination(Protocol[Sent]):
    """What takes letters; raises as Receiver does."""

    @property
    def box(self) -> Box[Sent]:
        """Where they wait for it."""

    @property
    def seconds(self) -> float:
        """How long one letter may take; what takes them has shorter limits of its own."""

    async def send(self, letter: Sent, /) -> Receipt:
        """Tell."""

    async def close(self) -> None:
        """Let go of connections; the last call."""
