"""What the hub took from each node, and what it knows to be missing.

An account is written down in the transaction that takes the batches, so that it is never off by one: for
each node, taken + own are the alerts that ever lay in this journal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "account:"  # note: one for each origin, "client/node"
MOST_REASONS = 16  # that are told apart; a node chooses their names
OTHER = "other"  # the reason of those beyond
HIGHEST = 2**63 - 1  # what a database can hold; a sum that a node drives beyond stays there


@dataclass(frozen=True, slots=True)
class Account:
    """Alerts of one origin since this journal was made, canaries included."""

    taken: int = 0
    """Put into the journal as they came from the node, each batch once."""
    own: int = 0
    """Put into it by the hub itself, about the node."""
    given_up: Mapping[str, int] = field(default_factory=dict)
    """Given up by the node after it had spooled them, by reason; they never came."""
    missing: int = 0
    """Neither here nor given up: the node counted them, or a sequence was left out without a word."""

    def with_batch(self, alerts: int, missing: int) -> "Account":
        """Return this account with one batch more, and what was found missing before it."""
        return Account(_sum(self.taken, alerts), self.own, self.given_up, _sum(self.missing, missing))

    def with_own(self, alerts: int) -> "Account":
        """Return this account with alerts of the hub's own."""
        return Account(self.taken, _sum(self.own, alerts), self.given_up, self.missing)

    def with_given_up(self, reason: str, alerts: int, missing: int) -> "Account":
        """Return this account with alerts that the node gave up, and what was found missing before them."""
        known = reason in self.given_up or len(self.given_up) < MOST_REASONS
        name = reason if known else OTHER
        given_up = {**self.given_up, name: _sum(self.given_up.get(name, 0), alerts)}
        return Account(self.taken, self.own, given_up, _sum(self.missing, missing))


def key(origin: str) -> str:
    """Return the name of an origin's note."""
    return f"{PREFIX}{origin}"


def encode(account: Account) -> bytes:
    """Return an account as a note."""
    plain = [account.taken, account.own, account.missing, dict(account.given_up)]
    return json.dumps(plain, separators=(",", ":")).encode()


def decode(note: bytes) -> Account:
    """Return the account that a note holds."""
    taken, own, missing, given_up = json.loads(note)
    return Account(taken, own, given_up, missing)


def read(notes: Mapping[str, bytes]) -> dict[str, Account]:
    """Return all accounts, by origin, that are among a journal's notes."""
    return {
        name.removeprefix(PREFIX): decode(note) for name, note in notes.items() if name.startswith(PREFIX)
    }


def _sum(one: int, other: int) -> int:
    return min(one + other, HIGHEST)
