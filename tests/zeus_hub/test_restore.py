"""Putting a backup back: the hub is what it was, nothing is lost on the way, and half a restore is no hub."""

import fcntl
import json
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from socme.batch import pack
from socme.errors import OperatorError
from socme.identity import utc_now
from socme.journal import Journal
from socme.v1.alert_pb2 import Alert, AlertSource
from socme.v1.uplink_pb2 import NodeMessage
from tests.zeus_hub.kept import batch, change, copied, make, take
from tests.zeus_hub.kit import Hub, Link, alert, eventually, hub, ids, linked, message
from zeus_hub import database, ledger
from zeus_hub.backup import MANIFEST, Place, Tell, back_up, digest
from zeus_hub.ca import open_authority
from zeus_hub.database import microseconds, open_database, reading, writing
from zeus_hub.deep import IDENTITY, examine
from zeus_hub.restore import Restored, restore
from zeus_hub.sinks.store import position

NOW = utc_now()
ASIDE = f".before-restore-{NOW:%Y%m%dT%H%M%SZ}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole") / "state")


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Place:
    state = copied(whole, tmp_path)
    (tmp_path / "zeus.toml").write_text('state_dir = "state"\n')
    return Place(state, state / "zeus.db", tmp_path / "zeus.toml")


@pytest.fixture
def copy(place: Place, tmp_path: Path) -> Path:
    """Return a backup of the hub at `place`."""
    back_up(place, tmp_path / "copy", now=NOW, tell=lambda *_: None)
    return tmp_path / "copy"


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """Return a place where no hub is."""
    folder = tmp_path / "new"
    return Place(folder / "state", folder / "state" / "zeus.db", folder / "zeus.toml")


def put(copy: Path, place: Place, *, force: bool = False) -> Restored:
    return restore(copy, place, force=force, now=NOW)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return what a folder holds: modes, and what files say; the lock is nothing of the hub's."""
    return {
        str(path.relative_to(folder)): (
            stat.S_IMODE(path.stat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
        if path.name != "hub.lock"
    }


def problems(place: Place) -> dict[str, list[str]]:
    engine = open_database("sqlite:///zeus.db", place.state_dir)
    found = {
        verdict.name: list(verdict.examples)
        for verdict in examine(engine, place.state_dir / "journal.db", lambda *_: None)
        if verdict.problems
    }
    engine.dispose()
    return found


def rows(place: Place, table: str = "alert") -> list[tuple[object, ...]]:
    engine = open_database("sqlite:///zeus.db", place.state_dir)
    with reading(engine) as connection:
        found = [tuple(row) for row in connection.execute(select(database.METADATA.tables[table]))]
    engine.dispose()
    return found


def identity(place: Place) -> bytes | None:
    with closing(Journal(place.state_dir / "journal.db")) as journal:
        return journal.note(IDENTITY)


def test_a_hub_is_put_where_none_is(place: Place, copy: Path, empty: Place) -> None:
    done = put(copy, empty)

    assert done.aside == ""
    assert problems(empty) == {}
    for table in ("alert", "technique", "client", "node", "watcher", "ledger", "tally", "refused"):
        assert rows(empty, table) == rows(place, table)
    assert open_authority(empty.state_dir, now=NOW) is not None
    before, after = tree(place.state_dir), tree(empty.state_dir)
    assert before.keys() == after.keys()
    assert {name: mode for name, (mode, _) in before.items()} == {
        name: mode for name, (mode, _) in after.items()
    }
    assert all(before[name] == after[name] for name in before if name.endswith((".pem", ".json")))


def test_settings_are_put_where_there_are_none_and_else_left_alone(copy: Path, empty: Place) -> None:
    put(copy, empty)
    assert empty.settings.read_text() == 'state_dir = "state"\n'
    empty.settings.write_text("# mine\n")
    put(copy, empty, force=True)

    assert empty.settings.read_text() == "# mine\n"


def test_the_backup_itself_stays_as_it_is(copy: Path, empty: Place) -> None:
    before = tree(copy)
    put(copy, empty)

    assert tree(copy) == before


def test_a_hub_that_is_there_is_not_touched(copy: Path, place: Place) -> None:
    before = tree(place.state_dir)
    with pytest.raises(
        OperatorError, match=r"holds a hub already \(ca, operator, journal.db, zeus.db\)\n.*--force"
    ):
        put(copy, place)

    assert tree(place.state_dir) == before


def test_by_force_it_is_moved_aside_whole(copy: Path, place: Place) -> None:
    """With what SQLite keeps beside a database: a log that meets another database is poison."""
    for name in ("zeus.db-wal", "zeus.db-shm", "journal.db-wal"):
        (place.state_dir / name).write_bytes(name.encode())
    before = tree(place.state_dir)
    done = put(copy, place, force=True)
    after = tree(place.state_dir)

    assert done.aside == ASIDE
    for name, held in before.items():
        first, slash, rest = name.partition("/")
        stem, dash, part = first.partition("-")
        assert after[f"{stem}{ASIDE}{dash}{part}{slash}{rest}"] == held
    assert not [name for name in after if name.endswith(("db-wal", "db-shm"))]
    assert problems(place) == {}


def test_a_hub_that_runs_is_not_touched(copy: Path, place: Place) -> None:
    before = tree(place.state_dir)
    with (place.state_dir / "hub.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OperatorError, match=r"a hub runs with.*\n.*Stop it first"):
            put(copy, place, force=True)

    assert tree(place.state_dir) == before


FILES = ["journal.db", "zeus.db", "ca/key.pem", "ca/certificate.pem", "operator/identity/key.pem"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["a bit", "its end", "all"])
def test_a_damaged_backup_changes_nothing(copy: Path, place: Place, name: str, damage: str) -> None:
    path = copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "all":
        path.unlink()
    else:
        path.write_bytes(content if damage == "a bit" else content[:-1])
    before = tree(place.state_dir)
    with pytest.raises(OperatorError, match=rf"{name} has changed|lacks {name}"):
        put(copy, place, force=True)

    assert tree(place.state_dir) == before


def agree(copy: Path, name: str) -> None:
    """Let the manifest say that a file is as it should be."""
    told = json.loads((copy / MANIFEST).read_text())
    told["files"][name] |= {"size": (copy / name).stat().st_size, "sha256": digest(copy / name)}
    (copy / MANIFEST).write_text(json.dumps(told))


@pytest.mark.parametrize("name", ["journal.db", "zeus.db"])
def test_damage_that_the_manifest_agrees_with_is_found_too(copy: Path, place: Place, name: str) -> None:
    """The disk was bad before the backup was made, or somebody mended the manifest."""
    content = bytearray((copy / name).read_bytes())
    content[-8192:] = b"\xff" * 8192  # the last page of either
    (copy / name).write_bytes(content)
    agree(copy, name)
    before = tree(place.state_dir)
    with pytest.raises(OperatorError, match=rf"{name} is damaged"):
        put(copy, place, force=True)

    assert tree(place.state_dir) == before


def test_a_ca_that_cannot_be_opened_is_found_too(copy: Path, place: Place) -> None:
    (copy / "ca" / "key.pem").write_bytes(b"junk")
    agree(copy, "ca/key.pem")
    before = tree(place.state_dir)
    with pytest.raises(OperatorError, match="certificate authority"):
        put(copy, place, force=True)

    assert tree(place.state_dir) == before


def test_a_newer_backup_changes_nothing(copy: Path, place: Place) -> None:
    told = json.loads((copy / MANIFEST).read_text())
    (copy / MANIFEST).write_text(json.dumps(told | {"schema": "9999"}))
    before = tree(place.state_dir)
    with pytest.raises(OperatorError, match=r"newer version.*\n.*Update this program"):
        put(copy, place, force=True)

    assert tree(place.state_dir) == before


def test_what_an_interrupted_restore_left_is_no_hindrance(copy: Path, empty: Place) -> None:
    staging = empty.state_dir / ".restored"
    staging.mkdir(parents=True)
    (staging / "zeus.db").write_bytes(b"half")
    put(copy, empty)

    assert problems(empty) == {}
    assert not staging.exists()


class PowerCutError(BaseException):
    """The machine stops here."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let the power fail before some rename; its number is what the list holds."""
    at = [0]
    rename = Path.rename

    def fails(path: Path, target: Path) -> Path:
        at[0] -= 1
        if at[0] == 0:
            raise PowerCutError
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    yield at
    at[0] = 0


def refuses_to_start(place: Place) -> bool:
    try:
        open_authority(place.state_dir, now=NOW)
    except OperatorError as error:
        return "restore the folder from a backup" in str(error)
    return False


@pytest.mark.parametrize("number", range(1, 12))
def test_a_power_cut_leaves_the_old_hub_the_new_one_or_none_that_starts(
    copy: Path, place: Place, cut: list[int], number: int
) -> None:
    """None means that the CA cannot be opened, with words that say so; and restoring again mends it."""
    take(place.state_dir, [batch("beta/beta-1", 3, [alert(3)], 3)])
    old, new = 13, 12
    cut[0] = number
    try:
        put(copy, place, force=True)
    except PowerCutError:
        pass
    else:
        assert number > 10, "there are fewer renames than were tried"
    cut[0] = 0
    assert (place.state_dir / "ca").exists(), "or a hub would make another CA"
    if refuses_to_start(place):
        assert 1 < number <= 10
    else:
        assert len(rows(place)) == (old if number == 1 else new)
        assert problems(place) == {}
    restore(copy, place, force=True, now=NOW + timedelta(seconds=1))

    assert problems(place) == {}
    assert len(rows(place)) == new


def later(place: Place, target: Path, handed: list[list[int]]) -> Path:
    """Make a backup while batches come between the copies of the journal and of the database."""
    waiting = [
        batch("beta/beta-1", 3 + index, [alert(number) for number in numbers], 3 + index)
        for index, numbers in enumerate(handed)
    ]

    def tell(name: str, done: int, of: int) -> None:
        if name == "journal.db" and done == of and waiting:
            take(place.state_dir, waiting)
            waiting.clear()

    telling: Tell = tell
    back_up(place, target, now=NOW, tell=telling)
    return target


@pytest.mark.parametrize("handed", [[], [[7], [8, 9]], [[1], [2], [2, 1]]])
def test_a_store_that_was_ahead_of_the_journal_balances_again(
    place: Place, empty: Place, tmp_path: Path, handed: list[list[int]]
) -> None:
    """The store keeps its rows, and its tally is that of the journal that it goes on with."""
    copy = later(place, tmp_path / "later", handed)
    put(copy, empty)

    assert problems(empty) == {}
    assert len(rows(empty)) == len(rows(place))
    (row,) = rows(empty, "sink")
    assert row[:3] == ("store", identity(empty), 8)
    again = [batch("beta/beta-1", 3 + i, [alert(n) for n in ns], 3 + i) for i, ns in enumerate(handed)]
    take(empty.state_dir, again)  # what nodes send again is recognised
    assert problems(empty) == {}
    assert len(rows(empty)) == len(rows(place))


def test_a_store_that_was_behind_goes_on_where_it_was(place: Place, empty: Place, tmp_path: Path) -> None:
    take(place.state_dir, [batch("beta/beta-1", 3, [alert(3)], 3)], stored=False)
    back_up(place, tmp_path / "copy", now=NOW, tell=lambda *_: None)
    put(tmp_path / "copy", empty)
    engine = open_database("sqlite:///zeus.db", empty.state_dir)
    with reading(engine) as connection:
        assert position(connection) == 8
    (balance,) = (one for one in ledger.balances(engine, empty.state_dir / "journal.db") if one.waiting)
    engine.dispose()

    assert (balance.waiting, balance.unaccounted) == (1, 0)


def test_the_journal_is_a_new_one_to_watchers(place: Place, copy: Path, empty: Place) -> None:
    """Positions behind its end are given again; a cursor from before must not be believed."""
    put(copy, empty)

    assert identity(empty) != identity(place)


def test_tokens_that_may_have_been_used_since_are_void(place: Place, empty: Place, tmp_path: Path) -> None:
    engine = open_database("sqlite:///zeus.db", place.state_dir)
    hour = timedelta(hours=1)
    fresh = {"role": "display", "name": "wall", "sees_all": True, "created_us": 0}
    with writing(engine) as connection:
        for secret, used in ((b"a" * 32, None), (b"b" * 32, 5)):
            row = {"secret_sha256": secret, "expires_us": microseconds(NOW + hour), "used_us": used}
            connection.execute(insert(database.token).values(fresh | row))
    engine.dispose()
    back_up(place, tmp_path / "copy", now=NOW, tell=lambda *_: None)
    put(tmp_path / "copy", empty)
    expires = database.token.c.expires_us
    engine = open_database("sqlite:///zeus.db", empty.state_dir)
    with reading(engine) as connection:
        kept = list(connection.execute(select(expires).order_by(database.token.c.id)).scalars())
    engine.dispose()

    assert kept == [microseconds(NOW), microseconds(NOW + hour)]


def test_a_backup_of_an_older_schema_is_brought_up_to_date(copy: Path, empty: Place) -> None:
    newer = [
        *("tally", "ledger", "books", "health", "triage", "triage_change", "audit", "slot", "tactic"),
        *("vitals_recent", "vitals_quarter", "vitals_hour"),
        *("router", "living_group", "firing", "routed", "silence", "outbox", "horizon"),
        *("outcome", "outcome_mark", "report"),
        *("alert_words", "indexing", "told_by_node"),
    ]
    change(copy / "zeus.db", *(f"DROP TABLE {name}" for name in newer))
    change(copy / "zeus.db", *(f"ALTER TABLE {name} DROP COLUMN redacted" for name in ("token", "watcher")))
    ends = ("source_ip", "destination_ip")
    change(copy / "zeus.db", *(f"DROP INDEX ix_alert_segment_{end}" for end in ends))
    change(
        copy / "zeus.db",
        *(f"DROP INDEX ix_alert_{each}_time_us" for each in ("rule_id", "node_id", "source")),
    )
    change(copy / "zeus.db", "CREATE INDEX ix_alert_rule_id ON alert (rule_id)")
    change(copy / "zeus.db", "ALTER TABLE alert DROP COLUMN segment")
    change(copy / "zeus.db", *(f"CREATE INDEX ix_alert_{end} ON alert ({end})" for end in ends))
    change(copy / "zeus.db", "ALTER TABLE client DROP COLUMN short_name")
    change(copy / "zeus.db", "UPDATE alembic_version SET version_num = '0001'")
    agree(copy, "zeus.db")
    put(copy, empty)

    assert [row[1:] for row in rows(empty, "tally")] == [(0, 0, 0, 0, 10), (0, 0, 0, 0, 2)]
    assert sum(int(str(row[3])) for row in rows(empty, "slot")) == 12
    assert len(rows(empty)) == 12


def test_a_database_elsewhere_is_put_there(copy: Path, empty: Place) -> None:
    elsewhere = replace(empty, database=empty.state_dir.parent / "fast" / "alerts.db")
    put(copy, elsewhere)

    assert elsewhere.database.exists()
    assert not (empty.state_dir / "zeus.db").exists()
    with pytest.raises(OperatorError, match="holds a hub already"):
        put(copy, elsewhere)


async def test_a_node_goes_on_with_a_restored_hub(tmp_path: Path) -> None:
    """Nothing is stored twice, what it still holds arrives, and what the hub has forgotten is missing."""
    old = Place(tmp_path / "old", tmp_path / "old" / "zeus.db", tmp_path / "zeus.toml")
    new = Place(tmp_path / "new", tmp_path / "new" / "zeus.db", tmp_path / "zeus.toml")
    old.settings.write_text("")
    async with hub(old.state_dir) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await _send(link, 1, [alert(1), alert(2)], before=0)
            await link.until_acked(1)
            await eventually(lambda: len(zeus.stored()) == 2)
            back_up(old, tmp_path / "copy", now=NOW, tell=lambda *_: None)  # while the hub runs
            await _send(link, 2, [alert(3), alert(4), alert(5)], before=2)
            await link.until_acked(2)
            await _send(link, 3, [alert(6)], before=5)
    shutil.rmtree(old.state_dir)
    put(tmp_path / "copy", new)
    async with hub(new.state_dir) as zeus:
        async with linked(zeus.address, node) as link:
            assert [mark.sequence for mark in link.welcome.marks] == [1]
            await _send(link, 3, [alert(6)], before=5)  # the second was acknowledged: the node forgot it
            await _send(link, 4, [alert(7), alert(1)], before=6)
            await link.until_acked(4)
        await eventually(lambda: _of_nodes(zeus) == ids([alert(n) for n in (1, 2, 6, 7)]))
        (balance,) = (one for one in ledger.balances(zeus.engine, zeus.journal) if one.client == "acme")

    assert balance.account.missing == 3
    assert balance.unaccounted == 0
    assert balance.repeated == 1


async def _send(link: Link, sequence: int, alerts: list[Alert], *, before: int) -> None:
    made = message(sequence, pack([each.SerializeToString() for each in alerts]))
    made.alerts_before = before
    await link.send(NodeMessage(batch=made))


def _of_nodes(zeus: Hub) -> list[bytes]:
    """Return the ids of what nodes sent; the hub's own alerts come when they come."""
    table = database.alert
    with reading(zeus.engine) as connection:
        query = (
            select(table.c.id)
            .where(table.c.source != AlertSource.ALERT_SOURCE_SOCME)
            .order_by(table.c.number)
        )
        return list(connection.execute(query).scalars())
