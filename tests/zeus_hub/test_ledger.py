"""What nodes and the hub say became of every alert, and by how much it fails."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, insert, update

from socme.errors import OperatorError
from socme.v1.vitals_pb2 import LedgerHour
from tests.zeus_hub.engines import lose
from tests.zeus_hub.kept import change
from tests.zeus_hub.kit import Hub, alert, eventually, give, hub, linked
from tests.zeus_hub.stored import NOON, database
from zeus_hub import database as tables
from zeus_hub import ledger, registry
from zeus_hub.database import microseconds, reading, writing
from zeus_hub.hours import failing
from zeus_hub.ledger import Balance, balances
from zeus_hub.sinks.store import position

pytestmark = pytest.mark.usefixtures("both")


def hour(number: int = 0, /, **counts: object) -> LedgerHour:
    """Return an hour that begins `number` hours after noon."""
    made = LedgerHour(**{"source": "/eve.json", **counts})  # type: ignore[arg-type]
    made.hour.FromDatetime(NOON + timedelta(hours=number))
    return made


def tell(engine: Engine, told: Sequence[LedgerHour], node_id: int = 1) -> None:
    """Write hours down as the hub does."""
    with writing(engine) as connection:
        for each in told:
            slot = {"node_id": node_id, "source": each.source, "book": each.book}
            row = {**slot, "hour_us": each.hour.ToMicroseconds(), "body": each.SerializeToString()}
            connection.execute(insert(tables.ledger).values(**row, unaccounted=failing(each), settled=0))


def node(engine: Engine, client_id: int = 1, name: str = "acme-1") -> None:
    with writing(engine) as connection:
        expires = NOON + timedelta(days=1)
        fingerprint = name.encode()
        registry.put_node(
            connection, client_id, name, fingerprint=fingerprint, enrolled=NOON, expires=expires
        )


def idle(zeus: Hub, last: int) -> bool:
    """Tell whether the store has read up to a position."""
    with reading(zeus.engine) as connection:
        return position(connection) == last


async def test_a_running_hub_accounts_for_every_alert(tmp_path: Path) -> None:
    """Sent once or twice, proof of the way, unreadable: at every moment, also while it comes in."""
    async with hub(tmp_path) as zeus:
        one, other = await zeus.node(), await zeus.node("beta", "beta-1")
        seen: list[list[Balance]] = []
        async with linked(zeus.address, one) as first, linked(zeus.address, other) as second:
            for sequence in range(1, 21):
                await first.batch(sequence, [alert(sequence), alert(1), alert(7, canary={"number": 1})])
                await second.batch(sequence, [alert(sequence)])
                seen.append(await asyncio.to_thread(balances, zeus.engine, zeus.journal))
            await first.until_acked(20)
            await second.until_acked(20)
        await eventually(lambda: idle(zeus, 40))
        acme, beta = balances(zeus.engine, zeus.journal)

    assert {balance.unaccounted for found in seen for balance in found} <= {0}
    assert (acme.client, acme.node, acme.account.taken) == ("acme", "acme-1", 60)
    assert (acme.stored, acme.repeated, acme.canaries, acme.waiting) == (20, 20, 20, 0)
    assert (beta.account.taken, beta.stored, beta.unaccounted) == (20, 20, 0)


async def test_an_alert_that_nobody_counted_is_unaccounted(tmp_path: Path) -> None:
    """As where somebody deletes it from the journal before the store has read it."""
    async with hub(tmp_path) as zeus:
        acme = await zeus.node()
        await give(zeus, acme, [alert(1), alert(2)])
        await eventually(lambda: idle(zeus, 1))
        with writing(zeus.engine) as connection:
            connection.execute(update(tables.tally).values(stored=0))
        (balance,) = balances(zeus.engine, zeus.journal)

    assert balance.unaccounted == 2


async def test_what_waits_for_the_store_is_counted_where_it_lies(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        acme = await zeus.node()
        await give(zeus, acme, [alert(1), alert(2)])
        await eventually(lambda: idle(zeus, 1))
    # As the store is found after a crash before its first transaction.
    change(tmp_path / "zeus.db", "UPDATE sink SET position = 0", "DELETE FROM tally")
    (balance,) = balances(zeus.engine, zeus.journal)

    assert (balance.waiting, balance.stored, balance.unaccounted) == (2, 0, 0)


async def test_a_journal_that_forgets_meanwhile_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two files the store goes on, and the journal forgets what it has just taken."""
    async with hub(tmp_path) as zeus:
        acme = await zeus.node()
        await give(zeus, acme, [alert(1)])
        await eventually(lambda: idle(zeus, 1))
    moved: list[int] = []

    def moving(connection: Connection) -> int:
        """Say the first time where the store stood before."""
        moved.append(position(connection))
        return 0 if len(moved) == 1 else moved[-1]

    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        db.execute("DELETE FROM entry")
    monkeypatch.setattr(ledger, "position", moving)
    (balance,) = balances(zeus.engine, zeus.journal)

    assert (balance.account.taken, balance.stored, balance.unaccounted) == (1, 1, 0)
    assert len(moved) == 3, "asked before and behind the journal, then once more"


async def test_a_store_that_was_lost_is_told_and_not_waited_for(tmp_path: Path) -> None:
    """What the journal had forgotten by then is nowhere any more."""
    async with hub(tmp_path) as zeus:
        acme = await zeus.node()
        await give(zeus, acme, [alert(1), alert(2)])
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        db.execute("DELETE FROM entry")
    lose(tmp_path)
    (balance,) = balances(database(tmp_path, []), zeus.journal)

    assert balance.unaccounted == 2


def test_without_a_journal_there_is_nothing_to_balance(tmp_path: Path) -> None:
    assert balances(database(tmp_path), tmp_path / "journal.db") == []
    assert not (tmp_path / "journal.db").exists()


def test_a_journal_that_is_never_still_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_balances", lambda *_: None)
    (tmp_path / "journal.db").touch()
    with pytest.raises(OperatorError, match="forgets faster"):
        balances(database(tmp_path), tmp_path / "journal.db")


def test_hours_come_by_node_and_source_the_newest_first(tmp_path: Path) -> None:
    engine = database(tmp_path)
    node(engine)
    node(engine, 2, "beta-1")
    tell(engine, [hour(0), hour(2), hour(1), hour(0, source="/alerts.json")])
    tell(engine, [hour(5)], node_id=2)
    found = [
        (each.client, each.told.source, round((each.told.hour.ToMicroseconds() - microseconds(NOON)) / 3.6e9))
        for each in ledger.hours(engine)
    ]

    assert found == [
        ("acme", "/alerts.json", 0),
        ("acme", "/eve.json", 2),
        ("acme", "/eve.json", 1),
        ("acme", "/eve.json", 0),
        ("beta", "/eve.json", 5),
    ]
    assert len(list(ledger.hours(engine, since=NOON + timedelta(hours=2)))) == 2


BALANCED = {
    "read": 100,
    "not_alert": 50,
    "filtered": {"min_severity": 10, "wazuh_copy": 5},
    "rolled_up": 4,
    "undecodable": 1,
    "spooled": 32,
    "made": 2,
    "acknowledged": 20,
    "pending": 9,
    "dropped": {"age": 3},
    "held": 6,
    "released": 4,
    "holding": 2,
}


def test_an_hour_that_balances_is_accounted_for() -> None:
    assert failing(hour(**BALANCED)) == 0


@pytest.mark.parametrize("name", [name for name, value in BALANCED.items() if isinstance(value, int)])
@pytest.mark.parametrize("by", [-1, 1])
def test_every_count_of_an_hour_matters(name: str, by: int) -> None:
    told = hour(**{**BALANCED, name: BALANCED[name] + by})  # type: ignore[operator]

    assert failing(told) == (2 if name == "spooled" else 1)


@pytest.mark.parametrize("name", ["filtered", "dropped"])
def test_every_reason_of_an_hour_matters(name: str) -> None:
    told = hour(**BALANCED)
    getattr(told, name)["another"] = 1

    assert failing(told) == 1


def test_the_word_of_the_node_counts_where_it_says_more() -> None:
    assert failing(hour(**BALANCED, unaccounted=7)) == 7


def test_what_two_spools_say_of_an_hour_is_added_up(tmp_path: Path) -> None:
    """And by how much each fails: one that has too much does not make good for one that has too little."""
    engine = database(tmp_path)
    node(engine)
    tell(engine, [hour(book=b"a", read=5, spooled=5, acknowledged=4, filtered={"x": 0}, dropped={"age": 2})])
    tell(engine, [hour(book=b"b", read=7, spooled=7, acknowledged=5, dropped={"age": 1, "refused": 2})])
    (found,) = ledger.hours(engine)
    engine.dispose()

    assert (found.told.read, found.told.spooled, found.told.acknowledged) == (12, 12, 9)
    assert dict(found.told.dropped) == {"age": 3, "refused": 2}
    assert (found.unaccounted, found.settled) == (2, 0)


def test_what_fails_and_was_not_settled_is_found_by_node(tmp_path: Path) -> None:
    engine = database(tmp_path)
    node(engine)
    node(engine, 2, "beta-1")
    tell(engine, [hour(0, read=5), hour(1, read=4), hour(2, **BALANCED)])
    tell(engine, [hour(0, **BALANCED)], node_id=2)
    with writing(engine) as connection:
        here = tables.ledger.c.hour_us == microseconds(NOON)
        connection.execute(update(tables.ledger).where(here).values(settled=3))
    found = ledger.failing(engine)
    engine.dispose()

    assert found == {("acme", "acme-1"): 2 + 4}


async def test_a_row_that_was_deleted_from_the_store_is_missed(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        acme = await zeus.node()
        await give(zeus, acme, [alert(1), alert(2)])
        await eventually(lambda: idle(zeus, 1))
        assert list(ledger.rows(zeus.engine)) == [(("acme", "acme-1"), 2, 2)]
        with writing(zeus.engine) as connection:
            connection.execute(delete(tables.alert).where(tables.alert.c.number == 1))

        assert list(ledger.rows(zeus.engine)) == [(("acme", "acme-1"), 2, 1)]
