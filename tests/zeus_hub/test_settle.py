"""What was settled does not count, and what exceeds it does."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from tests.zeus_hub.stored import NOON, database
from tests.zeus_hub.test_ledger import BALANCED, hour, node, tell
from zeus_hub import database as tables
from zeus_hub import ledger, settle
from zeus_hub.database import reading
from zeus_hub.settle import Amounts, Settled

pytestmark = pytest.mark.usefixtures("both")

KEY = ("acme", "acme-1")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    node(made)
    node(made, 2, "beta-1")
    yield made
    made.dispose()


@pytest.mark.parametrize("name", [field.name for field in fields(Amounts)])
def test_only_what_exceeds_it_counts(name: str) -> None:
    assert getattr(Amounts(**{name: 7}).beyond(Amounts(**{name: 5})), name) == 2
    assert Amounts(**{name: 4}).beyond(Amounts(**{name: 5})) == Amounts()


def test_it_is_noted_who_settled_what(engine: Engine) -> None:
    """And a second time in place of the first."""
    tell(engine, [hour(0, read=3), hour(1, **BALANCED)])
    tell(engine, [hour(0, read=9)], node_id=2)
    settle.settle(engine, KEY, Amounts(missing=1), by="anna", now=NOON)
    done = settle.settle(engine, KEY, Amounts(missing=5, unstored=2, rows=1, told=3), by="ben", now=NOON)

    assert done == Settled(Amounts(5, 2, 1, 3), hours=3, by="ben", time=NOON)
    assert settle.settled(engine) == {KEY: done}
    assert ledger.failing(engine) == {("beta", "beta-1"): 9}, "other nodes' losses are still told"


def test_an_hour_that_fails_more_counts_again(engine: Engine) -> None:
    tell(engine, [hour(0, read=3)])
    settle.settle(engine, KEY, Amounts(), by="anna", now=NOON)
    with reading(engine) as connection:
        assert connection.execute(select(tables.ledger.c.settled)).scalars().all() == [3]
    tell(engine, [hour(1, read=4)])

    assert ledger.failing(engine) == {KEY: 4}


def test_what_is_new_is_told_once() -> None:
    """Of what two looks found."""
    first, second = Settled(by="anna", time=NOON), Settled(by="ben", time=NOON.replace(hour=13))

    assert list(settle.fresh({}, {KEY: first})) == [(KEY, first)]
    assert list(settle.fresh({KEY: first}, {KEY: first})) == []
    assert list(settle.fresh({KEY: first}, {KEY: second})) == [(KEY, second)]
    assert second.facts()["by"] == "ben"
