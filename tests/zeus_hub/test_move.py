"""Moving a hub to PostgreSQL: all of it, once, however often it is cut off; and half of it is no hub."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, insert, select, update

from socme.errors import OperatorError
from socme.identity import utc_now
from tests.conftest import REPOSITORY
from tests.zeus_hub import engines, whole
from tests.zeus_hub.kept import batch, change, make, take
from tests.zeus_hub.kit import alert, eventually, hub
from tests.zeus_hub.whole import ROWS, empty, fill, held
from zeus_hub import database, deep, marker, move, proof, registry, schema
from zeus_hub.database import METADATA, open_database, reading, writing
from zeus_hub.move import TABLES, Moved, Tell
from zeus_hub.proof import Comparison
from zeus_hub.sinks.store import NAME


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of a hub with rows in every table."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder).dispose()
    return folder


@pytest.fixture
def state(filled: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(filled, tmp_path / "state"))


@pytest.fixture
def source(state: Path) -> Iterator[Engine]:
    engine = open_database("sqlite:///zeus.db", state)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have several pieces in each table."""
    monkeypatch.setattr(proof, "ROWS", 2)


class Heard:
    """What a move tells."""

    def __init__(self) -> None:
        self.copied: dict[str, int] = {}
        self.proved: dict[str, Comparison] = {}

    def tell(self, doing: str, table: str, done: int, of: int) -> None:
        """Take note of what is copied."""
        assert 0 < done <= of
        if doing == "copied":
            self.copied[table] = self.copied.get(table, 0) + 1

    def prove(self, table: str, found: Comparison) -> None:
        """Take note of what came of it."""
        self.proved[table] = found


def moved(source: Engine, url: str, tell: Tell | None = None, heard: Heard | None = None) -> Moved:
    heard = heard or Heard()
    state_dir = Path(str(source.url.database)).parent
    return move.move(source, url, state_dir, utc_now, tell or heard.tell, heard.prove)


def found(url: str) -> Mapping[str, Sequence[tuple[object, ...]]]:
    """Return what a hub finds there."""
    engine = open_database(url, Path("/nowhere"), create=False)
    try:
        return held(engine)
    finally:
        engine.dispose()


class CutOffError(Exception):
    """The move ends here."""


def cut_off_at(table: str, source: Engine, url: str) -> None:
    """Move until the first rows of a table were copied."""

    def tell(doing: str, now: str, done: int, of: int) -> None:
        if (doing, now) == ("copied", table):
            raise CutOffError

    with pytest.raises(CutOffError):
        moved(source, url, tell)


def test_every_table_of_the_schema_is_moved(source: Engine) -> None:
    """Those to come as well: they are found by the schema, and so are their rows in this test."""
    url, heard = empty(), Heard()
    done = moved(source, url, heard=heard)

    assert {table.name for table in TABLES} == set(METADATA.tables)
    assert all(len(rows) == ROWS for rows in held(source).values())
    assert found(url) == held(source)
    assert set(heard.proved) == set(done.proofs) == set(METADATA.tables)
    assert all(one.ours == one.theirs and one.ours.rows == ROWS for one in heard.proved.values())


def test_an_empty_hub_is_moved(tmp_path: Path) -> None:
    """All that there is in one is what the index of words says of itself."""
    engine, url = open_database("sqlite:///zeus.db", tmp_path), empty()
    done = moved(engine, url)
    registry.add_client(engine, "acme", now=utc_now())
    engine.dispose()
    target = open_database(url, tmp_path)
    registry.add_client(target, "acme", now=utc_now())
    there = held(target)
    target.dispose()

    assert {name: one.rows for name, one in done.proofs.items() if one.rows} == {"indexing": 1}
    assert there["client"][0][0] == 1


def test_no_number_is_given_twice(source: Engine, tmp_path: Path) -> None:
    """Wherever the database numbers rows by itself."""
    with writing(source) as connection:
        connection.execute(
            insert(schema.audit).values(number=900, time_us=1, actor="", action="", subject="", details="{}")
        )
    url = empty()
    moved(source, url)
    target = open_database(url, tmp_path)
    numbered = [
        table for table in TABLES if table.autoincrement_column is not None and not table.foreign_keys
    ]
    with writing(target) as connection:
        for table in numbered:
            key = table.autoincrement_column
            assert key is not None
            if table is database.alert:  # the store numbers them itself
                continue
            row = {name: value for name, value in whole.row(table, 70).items() if name != key.name}
            given = connection.execute(insert(table).values(row).returning(key)).scalar_one()
            assert given == (901 if table is schema.audit else ROWS + 1), table.name
    target.dispose()

    assert {"client", "triage_change", "audit", "outbox", "silence"} <= {table.name for table in numbered}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "points"), [("template0", 3), (engines.TEMPLATE, 8)], ids=["into nothing", "into tables"]
)
def test_wherever_it_is_killed_half_a_hub_is_refused_and_the_next_run_ends_the_same(
    state: Path, source: Engine, template: str, points: int
) -> None:
    (all_of_it,) = killed(state, [(empty(template), 0)])
    plan = [(empty(template), 1 + all_of_it["steps"] * point // points) for point in range(points)]
    told = killed(state, plan)

    assert [one["killed"] for one in told] == [True] * points
    for url, step in plan:
        if step > 1:  # before that, nothing was touched
            with pytest.raises(OperatorError, match="holds only a part of a hub"):
                found(url)
        moved(source, url)
        assert found(url) == held(source)


@pytest.mark.slow
def test_it_may_be_killed_again_and_again(state: Path, source: Engine) -> None:
    (all_of_it,) = killed(state, [(empty(engines.TEMPLATE), 0)])
    url = empty(engines.TEMPLATE)
    told = killed(state, [*((url, all_of_it["steps"] * part // 8) for part in (2, 1, 4)), (url, 0)])

    assert [one["killed"] for one in told] == [True, True, True, False]
    assert found(url) == held(source)


def killed(state: Path, plan: list[tuple[str, int]]) -> list[dict[str, int]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.zeus_hub.cutoff", str(state)],
        input=json.dumps(plan),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_goes_on_where_it_was(source: Engine) -> None:
    """What is there and right is not copied again."""
    url, heard = empty(), Heard()
    cut_off_at(TABLES[-1].name, source, url)
    moved(source, url, heard=heard)

    assert heard.copied == {TABLES[-1].name: 2}, "of three pieces"
    assert found(url) == held(source)


def test_what_the_hub_did_between_two_runs_is_moved(source: Engine) -> None:
    """Tables that are others now are begun anew, with those that name them; the rest is not."""
    url, heard = empty(), Heard()
    cut_off_at(TABLES[-1].name, source, url)
    node, alert_, client = database.node, database.alert, database.client
    with writing(source) as connection:
        connection.execute(update(node).where(node.c.id == 2).values(name="another"))
        connection.execute(delete(alert_).where(alert_.c.number == 1))
        connection.execute(insert(alert_).values(whole.row(alert_, ROWS + 1)))
        connection.execute(insert(client).values(whole.row(client, ROWS + 1)))
    moved(source, url, heard=heard)

    assert found(url) == held(source)
    named = {table.name for table in TABLES if any(key.column.table is node for key in table.foreign_keys)}
    assert {"node", "alert", "client", TABLES[-1].name, *named} == set(heard.copied)
    assert heard.copied["client"] == 1, "what came behind"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE alert SET message = 'x', level = 3 WHERE number = 3",
            r"alert: number 3 differs in level, message",
        ),
        ("DELETE FROM alert WHERE number = 5", r"alert: the target lacks number 5"),
        (
            "DELETE FROM technique WHERE alert_number = 1",
            r"technique: the source has id 1<b>.*, alert_number 1 where the target has id 2<b>",
        ),
        ("INSERT INTO firing VALUES ('z', '')", r"firing: the source lacks name z"),
    ],
)
def test_what_is_not_the_same_is_told_with_where(source: Engine, statement: str, words: str) -> None:
    """Somebody was at the target while it was filled; the next run mends it."""
    url, heard = empty(), Heard()

    def meddle(doing: str, table: str, done: int, of: int) -> None:
        if (doing, table, done) == ("copied", TABLES[-1].name, of):
            engines.DATABASES.server.run(name_of(url), statement)

    with pytest.raises(OperatorError, match=rf"not the same: {words}") as told:
        moved(source, url, meddle, heard)

    assert "Run it again" in told.value.mend
    assert "\x1b" not in str(told.value)
    wrong = words.partition(":")[0]
    assert [name for name, one in heard.proved.items() if one.difference] == [wrong]
    with pytest.raises(OperatorError, match="holds only a part of a hub"):
        found(url)
    moved(source, url)
    assert found(url) == held(source)


def test_a_number_that_a_column_cannot_hold_is_found(state: Path, source: Engine) -> None:
    """SQLite keeps it; COPY would cut it, and say nothing."""
    change(state / "zeus.db", "UPDATE alert SET severity = 8589934593 WHERE number = 4")
    with pytest.raises(OperatorError, match="alert: number 4 differs in severity"):
        moved(source, empty())


@pytest.mark.parametrize("value", ["'many'", "x'00'", "1.5"])
def test_a_value_of_another_kind_is_told(state: Path, source: Engine, value: str) -> None:
    change(state / "zeus.db", f"UPDATE slot SET alerts = {value} WHERE client_id = 2")
    with pytest.raises(
        OperatorError, match=r"slot has a value that its column cannot hold.*\n.*check --deep"
    ):
        moved(source, empty())


def test_a_text_that_is_too_long_is_told(state: Path, source: Engine) -> None:
    change(state / "zeus.db", "UPDATE outbox SET receiver = hex(zeroblob(100)) WHERE number = 2")
    with pytest.raises(
        OperatorError, match=r"outbox: a row between number 1 and number 2 is refused: .*too long"
    ):
        moved(source, empty())


def test_a_character_0_from_an_older_version_is_replaced_as_the_store_does_it(
    state: Path, source: Engine
) -> None:
    url = empty()
    change(state / "zeus.db", "UPDATE alert SET message = CAST(x'610062' AS TEXT) WHERE number = 4")
    moved(source, url)

    assert {row[-2] for row in found(url)["alert"] if row[0] == 4} == {"a\ufffdb"}


@pytest.mark.parametrize("table", ["routed", "outbox"], ids=["when counted", "when read"])
def test_damage_of_the_file_is_not_taken_for_the_servers(state: Path, source: Engine, table: str) -> None:
    with closing(sqlite3.connect(state / "zeus.db")) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (state / "zeus.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(OperatorError, match=r"the database .*zeus\.db is damaged"):
        moved(source, empty())


def test_meanwhile_nobody_writes_to_the_file(source: Engine, state: Path) -> None:
    tried = []

    def tell(doing: str, table: str, *_: int) -> None:
        with closing(sqlite3.connect(state / "zeus.db", timeout=0)) as db:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                db.execute("DELETE FROM audit")
            tried.append(doing)

    moved(source, empty(), tell)
    assert {"copied", "compared"} == set(tried)


def test_a_server_that_goes_away_is_told_and_then_it_goes_on(source: Engine) -> None:
    url = empty()
    name = name_of(url)

    def tell(doing: str, table: str, *_: int) -> None:
        if table == "alert":
            gone = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
            engines.DATABASES.server.run("postgres", gone)
            engines.DATABASES.server.run("postgres", f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")

    with pytest.raises(OperatorError, match="cannot use the database postgresql://"):
        moved(source, url, tell)
    engines.DATABASES.server.run("postgres", f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    moved(source, url)
    assert found(url) == held(source)


def test_a_second_time_it_is_told_that_it_was_done(source: Engine) -> None:
    url = empty()
    first, second = moved(source, url), moved(source, url)

    assert first.before is None
    assert second.before is not None
    assert second.proofs == first.proofs


def test_what_the_hub_has_on_the_server_is_never_overwritten(source: Engine, tmp_path: Path) -> None:
    """Neither when the hub went on there, nor when it went on with the file."""
    url = empty()
    moved(source, url)
    target = open_database(url, tmp_path)
    registry.add_client(target, "new", now=utc_now())
    there = held(target)
    target.dispose()
    assert moved(source, url).before is not None
    registry.add_client(source, "newer", now=utc_now())
    with pytest.raises(OperatorError, match=r"was moved to .* and its file has changed since: .*client"):
        moved(source, url)

    assert found(url) == there


def test_a_database_that_another_hub_uses_is_refused(source: Engine, tmp_path: Path) -> None:
    url = empty()
    target = open_database(url, tmp_path)
    registry.add_client(target, "acme", now=utc_now())
    target.dispose()
    before = found(url)
    with pytest.raises(
        OperatorError, match=r"holds something already, and not of this hub's: client\n.*empty"
    ):
        moved(source, url)

    assert found(url) == before


def test_a_database_in_which_something_else_is_called_the_same_is_refused(source: Engine) -> None:
    url = empty()
    name = name_of(url)
    engines.DATABASES.server.run(name, "CREATE TABLE client (other int PRIMARY KEY)")
    with pytest.raises(OperatorError, match=r"holds something already.*: client"):
        moved(source, url)


@pytest.mark.parametrize("made", [False, True], ids=["empty", "with a hub's tables"])
def test_a_database_with_tables_of_somebody_else_is_refused(
    *, source: Engine, tmp_path: Path, made: bool
) -> None:
    url = empty()
    if made:
        open_database(url, tmp_path).dispose()
    engines.DATABASES.server.run(name_of(url), "CREATE TABLE theirs (other int PRIMARY KEY)")
    with pytest.raises(OperatorError, match=r"holds something already.*: theirs\n"):
        moved(source, url)


def test_a_database_to_which_another_hub_is_moved_is_refused(source: Engine, tmp_path: Path) -> None:
    """It is known by the journal that it was stored from."""
    url, other = empty(), fill(tmp_path / "other")
    for engine in (source, other):
        with writing(engine) as connection:
            name = str(engine.url.database).encode()[-16:]
            ran = update(database.sink).where(database.sink.c.position < 0, database.sink.c.refused % 5 == 0)
            connection.execute(ran.values(name=NAME, journal=name))
    cut_off_at("alert", source, url)
    with pytest.raises(OperatorError, match="holds another hub, or a part of it"):
        moved(other, url)
    other.dispose()


def test_an_empty_database_that_has_the_tables_will_do(source: Engine, tmp_path: Path) -> None:
    url = empty()
    open_database(url, tmp_path).dispose()
    moved(source, url)

    assert found(url) == held(source)


async def test_what_is_in_the_journal_alone_is_stored_on_the_server_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal stays where it is, and how far it was read is moved."""
    state = make(tmp_path / "state")
    engines.DATABASES.leave()
    late = [alert(number) for number in range(200, 206)]
    take(state, [batch("acme/acme-1", 7, late[:3], 18), batch("beta/beta-1", 3, late[3:], 3)], stored=False)
    source, url = open_database("sqlite:///zeus.db", state), empty()
    before = [row[5] for row in held(source)["alert"]]
    moved(source, url)
    source.dispose()
    monkeypatch.setattr(engines, "url", lambda _: url)
    async with hub(state) as zeus:
        await eventually(lambda: len(zeus.stored()) == len(before) + len(late))
        with reading(zeus.engine) as connection:
            ids = select(func.count(database.alert.c.id.distinct()))
            repeated = select(func.sum(database.sink.c.repeated))

            assert connection.execute(ids).scalar_one() == len({*before, *(one.id for one in late)})
            assert connection.execute(repeated).scalar_one() == 1, "the one that there was before"
    engine = engines.opened(state)
    problems = [one for one in deep.examine(engine, state / "journal.db", lambda *_: None) if one.problems]

    assert held(engine)["alert"][: len(before)] == held(open_source(state))["alert"]
    assert [list(one.examples) for one in problems] == []
    assert marker_of(engine).done_us is not None


def name_of(url: str) -> str:
    """Return the name of a database on the server."""
    return url.partition("?")[0].rpartition("/")[2]


def open_source(state: Path) -> Engine:
    return open_database("sqlite:///zeus.db", state)


def marker_of(engine: Engine) -> marker.Mark:
    with reading(engine) as connection:
        found = marker.read(connection)
    assert found is not None
    return found
