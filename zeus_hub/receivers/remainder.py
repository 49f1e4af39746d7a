"""Who does not have a mail yet that others have: what must be known to send it again to those alone. Pure.

It is kept in memory. Where it is forgotten (a restart, or more mails at a time than MOST) everybody gets the
mail again, with the same Message-ID.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MOST = 1000  # mails of which is remembered who has them
LONGEST = 86_400.0  # seconds after the first attempt; who is put off for a day is put off for good

Answer = tuple[int, str]
"""A code of SMTP, and what the server says."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left to do of a mail."""

    recipients: tuple[str, ...]
    """Who does not have it."""
    until: float
    """When to stop trying."""
    lost: tuple[str, ...] = ()
    """Who never gets it, and why."""


class Remainders:
    """What is left of mails, by their keys, for one receiver with these recipients."""

    def __init__(self, recipients: Sequence[str], clock: Callable[[], float]) -> None:
        self._all = tuple(recipients)
        self._clock = clock
        self._known: dict[str, Remainder] = {}

    def of(self, key: str) -> Remainder:
        """Return what is left of a mail: all, where nobody has it or nothing is known."""
        return self._known.get(key) or Remainder(self._all, self._clock() + LONGEST)

    def note(self, key: str, before: Remainder, refused: Mapping[str, Answer]) -> Remainder:
        """Note that all of `before` have it but for these; return what is left: nobody, once it is over."""
        late = self._clock() >= before.until
        later = tuple(who for who, (code, _) in refused.items() if not late and not is_for_good(code))
        lost = (
            f"{who} does not get it: {code} {words}"
            for who, (code, words) in refused.items()
            if who not in later
        )
        left = Remainder(later, before.until, (*before.lost, *lost))
        self._known.pop(key, None)
        if later:
            self._known[key] = left  # behind all others: what was not tried for longest is forgotten first
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return left


def is_for_good(code: int) -> bool:
    """Tell whether an answer of SMTP means that trying again is in vain."""
    return code >= 500  # noqa: PLR2004 - as SMTP has it
