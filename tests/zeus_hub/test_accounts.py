"""Accounts: sums that no node can drive out of bounds, and what is kept of them."""

from hypothesis import given
from hypothesis import strategies as st

from zeus_hub import accounts
from zeus_hub.accounts import HIGHEST, MOST_REASONS, OTHER, Account

AMOUNTS = st.integers(0, 2**64)


def test_an_account_adds_up() -> None:
    account = Account().with_batch(10, 2).with_own(3).with_given_up("age", 4, 1).with_given_up("age", 5, 0)

    assert account == Account(taken=10, own=3, given_up={"age": 9}, missing=3)


@given(st.lists(st.tuples(st.text(max_size=64), AMOUNTS, AMOUNTS)))
def test_whatever_a_node_says_an_account_stays_within_bounds(said: list[tuple[str, int, int]]) -> None:
    account = Account()
    for reason, alerts, missing in said:
        account = account.with_given_up(reason, alerts, missing).with_batch(alerts, missing)

    assert max(account.taken, account.missing, *account.given_up.values(), 0) <= HIGHEST
    assert len(account.given_up) <= MOST_REASONS + 1
    assert accounts.decode(accounts.encode(account)) == account


def test_beyond_the_first_few_reasons_they_are_told_together() -> None:
    account = Account()
    for number in range(MOST_REASONS + 5):
        account = account.with_given_up(str(number), 1, 0)

    assert account.given_up[OTHER] == 5
    assert sum(account.given_up.values()) == MOST_REASONS + 5


def test_accounts_are_found_among_other_notes() -> None:
    account = Account(taken=1)
    notes = {accounts.key("acme/n1"): accounts.encode(account), "journal": b"x"}

    assert accounts.read(notes) == {"acme/n1": account}
