"""Looking at everything that the hub keeps: all is well where it is, and each kind of damage is found."""

import itertools
import random
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.engines import on_postgresql, opened
from tests.zeus_hub.kept import batch, change, copied, make, take
from tests.zeus_hub.kit import alert
from zeus_hub import deep
from zeus_hub.deep import CHECKS, Verdict, examine

pytestmark = pytest.mark.usefixtures("both")

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def whole(both: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of a hub where all is well."""
    return make(tmp_path_factory.mktemp("whole") / "state")


@pytest.fixture
def state(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of it to be damaged."""
    return copied(whole, tmp_path)


@pytest.fixture
def engine(state: Path) -> Engine:
    return opened(state)


def looked(engine: Engine, state: Path) -> dict[str, Verdict]:
    return {one.name: one for one in examine(engine, state / "journal.db", lambda *_: None)}


def found(verdicts: dict[str, Verdict]) -> dict[str, list[str]]:
    """Return what was found, by check."""
    return {name: list(one.examples) for name, one in verdicts.items() if one.problems}


def test_where_all_is_well_everything_was_looked_at_and_nothing_found(engine: Engine, state: Path) -> None:
    verdicts = looked(engine, state)

    assert found(verdicts) == {}
    assert list(verdicts) == [name for name, _ in CHECKS]
    assert all(one.looked for one in verdicts.values()), verdicts
    assert verdicts["alerts"].looked == 12
    assert verdicts["journal entries"].looked == 8


def body_of_another(state: Path) -> None:
    change(
        state / "zeus.db",
        "UPDATE alert SET body = (SELECT body FROM alert WHERE number = 2) WHERE number = 1",
    )


def without_an_index_row(state: Path) -> None:
    """As after a bug or a bad disk: the index exists, but does not know of a change."""
    path = state / "zeus.db"
    changes = ("UPDATE alert SET rule_id = 'other' WHERE number = 2", "UPDATE alert SET rule_id = rule_id")
    if on_postgresql():
        ready = "UPDATE pg_index SET indisready = {} WHERE indexrelid = 'ix_alert_rule_id_time_us'::regclass"
        change(path, "CREATE EXTENSION amcheck", ready.format("false"))
        change(path, *changes)
        change(path, ready.format("true"))
        return
    kept = "CREATE INDEX ix_alert_rule_id_time_us ON alert (rule_id, time_us)"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        row = db.execute("SELECT * FROM sqlite_master WHERE name = 'ix_alert_rule_id_time_us'").fetchone()
        assert row[-1] == kept
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_master WHERE name = 'ix_alert_rule_id_time_us'")
    change(path, *changes)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)


def with_a_page_of_junk(name: str) -> Damage:
    def damage(state: Path) -> None:
        path = state / name
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            table = {"zeus.db": "alert", "journal.db": "entry"}[name]
            (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            (size,) = db.execute("PRAGMA page_size").fetchone()
        with path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(random.Random(1).randbytes(size))

    return damage


def sql(name: str, *statements: str) -> Damage:
    return lambda state: change(state / name, *statements)


DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "a body that is no frame": (
        sql("zeus.db", "UPDATE alert SET body = x'00' WHERE number = 3"),
        "alerts",
        "alert number 3: cannot be decoded",
    ),
    "a body of another alert": (body_of_another, "alerts", "differs from its columns id, "),
    "a column that was changed": (
        sql("zeus.db", "UPDATE alert SET severity = 4 WHERE number = 3"),
        "alerts",
        "alert number 3: differs from its columns severity",
    ),
    "an alert given to another client": (
        sql("zeus.db", "UPDATE alert SET client_id = 2 WHERE number = 1"),
        "alerts",
        "alert number 1: is of client number 2, its node is not",
    ),
    "an alert of no node": (
        sql("zeus.db", "UPDATE alert SET node_id = 77 WHERE number = 1"),
        "alerts",
        "alert number 1: is of node number 77",
    ),
    "a technique of no alert": (
        sql("zeus.db", "INSERT INTO technique VALUES ('T1', 999)"),
        "references",
        "technique T1 is of alert number 999",
    ),
    "a technique that is not listed": (
        sql("zeus.db", "DELETE FROM technique WHERE alert_number = 1 AND id = 'T1059'"),
        "alerts",
        "the alerts name 10 techniques, 9 are listed",
    ),
    "a node of no client": (
        sql("zeus.db", "UPDATE node SET client_id = 99 WHERE id = 1"),
        "references",
        "of node names a client that there is not",
    ),
    "an index that is gone": (
        sql("zeus.db", "DROP INDEX ix_alert_rule_id_time_us"),
        "schema",
        "there is no index ix_alert_rule_id_time_us",
    ),
    "a table that is gone": (sql("zeus.db", "DROP TABLE technique"), "schema", "there is no table technique"),
    "an index that misses a row": (without_an_index_row, "database pages", "ix_alert_rule_id_time_us"),
    "a page of junk in the journal": (with_a_page_of_junk("journal.db"), "journal pages", ""),
    "a batch that was changed": (
        sql("journal.db", "UPDATE entry SET payload = x'0011' WHERE position = 2"),
        "journal entries",
        "entry 2 of acme/acme-1: ",
    ),
    "a batch that claims more": (
        sql("journal.db", "UPDATE entry SET alerts = 9 WHERE position = 2"),
        "journal entries",
        "entry 2 of acme/acme-1: holds 3 alerts, claims 9",
    ),
    "a batch that is gone": (
        sql("journal.db", "DELETE FROM entry WHERE position = 3"),
        "journal entries",
        "entry 2 is followed by 4",
    ),
    "batches that the store never read": (
        sql("zeus.db", "UPDATE sink SET position = 0", "DELETE FROM tally"),
        "positions",
        "the sink store stands at 0, the journal begins at 2",
    ),
    "a store ahead of its journal": (
        sql("zeus.db", "UPDATE sink SET position = 99"),
        "positions",
        "the sink store stands at 99, the journal ends at 8",
    ),
    "a store of another journal": (
        sql("zeus.db", "UPDATE sink SET journal = x'00'"),
        "positions",
        "has read another journal",
    ),
    "a row that is gone": (
        sql("zeus.db", "DELETE FROM alert WHERE number = 1", "DELETE FROM technique WHERE alert_number = 1"),
        "counts",
        "acme/acme-1: 10 alerts were stored, 9 are there",
    ),
    "a count that was changed": (
        sql("zeus.db", "UPDATE tally SET repeated = repeated + 5 WHERE node_id = 1"),
        "counts",
        "acme/acme-1: 5 alerts are unaccounted for",
    ),
    "a count of a wall that was changed": (
        sql("zeus.db", "UPDATE slot SET closed = closed + 1 WHERE client_id = 1"),
        "wall counts",
        "are counted, ",
    ),
    "an alert whose triage is gone": (
        sql("zeus.db", "UPDATE slot SET acknowledged = 1 WHERE client_id = 1"),
        "wall counts",
        "of client number 1 in the quarter of an hour that begins at",
    ),
    "an hour that cannot be decoded": (
        sql("zeus.db", "UPDATE ledger SET body = x'ff'"),
        "ledger hours",
        "an hour of node number 1 cannot be decoded",
    ),
    "an hour of another source": (
        sql("zeus.db", "UPDATE ledger SET source = '/other'"),
        "ledger hours",
        "is not the one that its columns say",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_kind_of_damage_is_found_where_it_is(state: Path, name: str) -> None:
    damage, check, words = DAMAGES[name]
    if name == "batches that the store never read":
        change(state / "journal.db", "DELETE FROM entry WHERE position = 1")
    damage(state)
    engine = opened(state)
    told = found(looked(engine, state))
    engine.dispose()

    assert any(words in problem for problem in told.get(check, [])), told


@sqlite_alone
def test_a_page_of_junk_in_the_database_is_found(state: Path) -> None:
    with_a_page_of_junk("zeus.db")(state)

    assert found(looked(opened(state), state))["database pages"]


def test_a_batch_that_was_set_aside_is_known(engine: Engine, state: Path) -> None:
    """It came so from its node; only one that the store never set aside is damage."""
    assert "journal entries" not in found(looked(engine, state))
    change(state / "zeus.db", "DELETE FROM refused")

    assert "journal entries" in found(looked(engine, state))


def test_a_journal_that_is_gone_is_told_and_not_made(engine: Engine, state: Path) -> None:
    for path in sorted(state.glob("journal.db*")):
        path.unlink()
    told = found(looked(engine, state))

    assert "there is none" in told["journal pages"][0]
    assert not (state / "journal.db").exists()


def test_many_problems_are_counted_and_the_first_are_told(engine: Engine, state: Path) -> None:
    change(state / "zeus.db", "UPDATE alert SET severity = 4")
    verdict = looked(engine, state)["alerts"]

    assert verdict.problems == 12
    assert len(verdict.examples) == deep.EXAMPLES


def test_it_can_be_done_while_the_hub_runs(
    engine: Engine, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces, over batches that come between them; nothing is found."""
    monkeypatch.setattr(deep, "ROWS", 3)
    sequence = itertools.count(3)

    def more(_name: str, _looked: int) -> None:
        number = next(sequence)
        made = batch("beta/beta-1", number, [alert(number)], number)
        take(state, [made])

    verdicts = {one.name: one for one in examine(engine, state / "journal.db", more)}

    assert found(verdicts) == {}
    assert verdicts["alerts"].looked >= 12
    assert next(sequence) > 10


def test_memory_does_not_grow_with_what_there_is(engine: Engine, state: Path) -> None:
    """Forty megabytes of alerts and of batches, looked at within a few."""
    for number in range(3, 43):
        made = alert(number)
        made.raw = random.Random(number).randbytes(1024 * 1024)
        take(state, [batch("beta/beta-1", number, [made], number)])
    tracemalloc.start()
    try:
        assert found(looked(engine, state)) == {}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 30 * 1024 * 1024
