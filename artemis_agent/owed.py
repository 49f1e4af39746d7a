"""A mail that some have while the server could not take it for others, who are tried again. Pure.

What it tells of counts as told, because somebody has it. So it is kept in memory alone, and not for long.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from socme import backoff

if TYPE_CHECKING:
    from email.message import EmailMessage

MOST_SECONDS = 3600.0  # a mailbox that takes nothing for an hour is left to those who have the mail
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 900.0  # seconds between attempts


@dataclass(frozen=True, slots=True)
class Refused:
    """One of a mail's people who did not get it."""

    who: str
    answer: str
    """What the server said."""
    again: bool
    """Whether it may be taken later, by that."""


class Letter:
    """Is tried again while `whom` holds somebody; all times are of a clock that is never set."""

    def __init__(self, mail: "EmailMessage", refused: Sequence[Refused], now: float) -> None:
        self.mail = mail
        self.refused = tuple(refused)
        self._until = now + MOST_SECONDS
        rng = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._pauses = backoff.delays(rng, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        self._at = now + next(self._pauses)

    @property
    def whom(self) -> tuple[str, ...]:
        """Who is to get it still."""
        return tuple(each.who for each in self.refused if each.again and self._at <= self._until)

    @property
    def problem(self) -> str:
        """Who did not get it, and why; empty where everybody has it."""
        return f"not told: {words(self.refused)}" if self.refused else ""

    def is_due(self, now: float) -> bool:
        """Tell whether it is time for another attempt."""
        return self._at <= now

    def tried(self, refused: Sequence[Refused], now: float) -> None:
        """Take in that the mail left: for all of `whom` but those who were refused."""
        self.refused = (*(each for each in self.refused if not each.again), *refused)
        self._at = now + next(self._pauses)

    def failed(self, refused: Sequence[Refused], now: float) -> None:
        """Take in that no mail left, and who was refused, as far as it came to that."""
        answers = {each.who: each for each in refused}
        self.refused = tuple(answers.get(each.who, each) for each in self.refused)
        self._at = now + next(self._pauses)


def words(refused: Sequence[Refused]) -> str:
    """Return who was refused and why, on one line."""
    return "; ".join(f"{each.who}: {each.answer}" for each in refused)
