"""Who does not have a mail yet that others have: what must be known to send it again to those alone. Pure.

Since when somebody is put off is known by thread: in a group that lives on, each notice is another mail. Who
is put off for a day is asked once for each further mail, until the server takes one.

It is kept in memory. Where it is forgotten (a restart, or more threads at a time than MOST) everybody gets
the mail again, with the same Message-ID, and a day begins anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MOST = 1000  # threads of which is remembered who was put off
LONGEST = 86_400.0  # seconds; who is put off for a day is put off for good

Answer = tuple[int, str]
"""A code of SMTP, and what the server says."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left to do of a mail."""

    recipients: tuple[str, ...]
    """Who does not have it, who has waited longest first: a server may take only so many at a time."""
    lost: tuple[str, ...] = ()
    """Who never gets it, and why."""


@dataclass(frozen=True, slots=True)
class _Thread:
    """What is known of the mails of a thread."""

    key: str
    """Of the latest mail that somebody did not get at once."""
    left: Remainder
    """Of that one."""
    since: Mapping[str, float]
    """Since when people are put off, who has waited longest first; none of them got a mail in between."""


class Remainders:
    """What is left of mails for one receiver with these recipients, by threads, and keys of mails in them."""

    def __init__(self, recipients: Sequence[str], clock: Callable[[], float]) -> None:
        self._all = tuple(recipients)
        self._clock = clock
        self._known: dict[str, _Thread] = {}

    def of(self, thread: str, key: str) -> Remainder:
        """Return what is left of a mail: all, where nobody has it or nothing is known."""
        known = self._known.get(thread)
        if known is None:
            return Remainder(self._all)
        if known.key == key and known.left.recipients:
            return known.left
        return Remainder((*known.since, *(who for who in self._all if who not in known.since)))

    def note(self, thread: str, key: str, before: Remainder, refused: Mapping[str, Answer]) -> Remainder:
        """Note that all of `before` have it but for these; return what is left: nobody, once it is over."""
        since = self._since(thread, before, refused)
        late = self._clock() - LONGEST
        later = tuple(who for who in since if who in refused and since[who] > late)
        lost = (
            f"{who} does not get it: {code} {words}"
            for who, (code, words) in refused.items()
            if who not in later
        )
        left = Remainder(later, (*before.lost, *lost))
        self._known.pop(thread, None)
        if since:
            self._known[thread] = _Thread(key, left, since)  # behind those not tried for longer
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return left

    def _since(self, thread: str, tried: Remainder, refused: Mapping[str, Answer]) -> dict[str, float]:
        """Return since when people are put off, now that some were tried."""
        known = self._known.get(thread)
        before = {} if known is None else known.since
        waiting = {who: since for who, since in before.items() if who not in tried.recipients}
        for who, (code, _) in refused.items():
            if not is_for_good(code):
                waiting[who] = before.get(who, self._clock())
        return dict(sorted(waiting.items(), key=lambda each: each[1]))


def is_for_good(code: int) -> bool:
    """Tell whether an answer of SMTP means that trying again is in vain."""
    return code >= 500  # noqa: PLR2004 - as SMTP has it
