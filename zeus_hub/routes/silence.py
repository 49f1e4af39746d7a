"""What people have asked not to be told of for a while. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.matcher import Matcher, Subject, names, subject

PREFIX = "silence:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Which alerts of a client nobody is told of, until when, and who has said so why."""

    id: str
    """Unlike any other's, before and after."""
    client: str
    match: Matcher | None
    """None for all of the client."""
    until: datetime
    who: str
    why: str

    @property
    def veil(self) -> str:
        """What it is called in a veil."""
        return f"{PREFIX}{self.id}"

    def holds(self, now: datetime) -> bool:
        """Tell whether it is not over."""
        return now < self.until

    def meets(self, client: str, subject: Subject) -> bool:
        """Tell whether it is about an alert."""
        return client == self.client and (self.match is None or self.match.holds(subject))


def covering(silences: Iterable[Silence], alerts: Sequence[StoredAlert]) -> list[Silence]:
    """Return which new silences are about a group that is there already, by the alerts it remembers.

    Such a one must be about all of them: to be told once more than wanted is the safe mistake.
    """
    new = list(silences)
    asked = names(silence.match for silence in new)
    about = [(each.client, subject(each, asked)) for each in alerts]
    return [each for each in new if about and all(each.meets(client, what) for client, what in about)]
