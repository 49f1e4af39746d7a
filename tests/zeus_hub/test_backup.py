"""A backup: whole, of one moment, taken while the hub works; and what is refused as one."""

import itertools
import json
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.kept import batch, copied, make, take
from tests.zeus_hub.kit import alert
from zeus_hub import backup
from zeus_hub.backup import MANIFEST, Place, back_up, digest, read_manifest

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SETTINGS = 'state_dir = "state"\n'


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole") / "state")


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Place:
    """Return a hub's place, with settings beside it."""
    state = copied(whole, tmp_path)
    (tmp_path / "zeus.toml").write_text(SETTINGS)
    return Place(state, state / "zeus.db", tmp_path / "zeus.toml")


def made(place: Place, target: Path, tell: backup.Tell = lambda *_: None) -> backup.Manifest:
    return back_up(place, target, now=NOW, tell=tell)


def positions(folder: Path) -> tuple[int, int]:
    """Return where the journal ends and how far the store has read, in copies."""
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        (last,) = db.execute("SELECT max(position) FROM entry").fetchone()
    with closing(sqlite3.connect(folder / "zeus.db")) as db:
        (position,) = db.execute("SELECT position FROM sink").fetchone()
    return last, position


def test_it_holds_everything_that_makes_a_hub(place: Place, tmp_path: Path) -> None:
    manifest = made(place, tmp_path / "copy")
    files = {str(path.relative_to(tmp_path / "copy")): path for path in (tmp_path / "copy").rglob("*.*")}

    assert set(files) == {*manifest.files, MANIFEST}
    assert set(manifest.files) == {
        "journal.db",
        "zeus.db",
        "zeus.toml",
        "ca/key.pem",
        "ca/certificate.pem",
        *(f"operator/identity/{name}" for name in ("key.pem", "chain.pem", "ca.pem", "identity.json")),
    }
    for name, about in manifest.files.items():
        assert (about.size, about.sha256) == (files[name].stat().st_size, digest(files[name]))
    assert (tmp_path / "copy" / "zeus.toml").read_text() == SETTINGS
    assert read_manifest(tmp_path / "copy") == manifest
    assert manifest.made == "2026-07-01T12:00:00+00:00"


def test_only_its_owner_may_read_it(place: Place, tmp_path: Path) -> None:
    made(place, tmp_path / "copy")
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "copy", *(tmp_path / "copy").rglob("*"))
    }
    settings = modes.pop("zeus.toml")

    assert set(modes.values()) == {0o600, 0o700}
    assert settings == stat.S_IMODE(place.settings.stat().st_mode)


def test_it_is_of_one_moment_though_others_write(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every page that is copied a batch comes: the copy ends, and holds whole batches alone."""
    monkeypatch.setattr(backup, "_PAGES", 1)
    sequence = itertools.count(3)
    heard: list[str] = []

    def write(name: str, done: int, of: int) -> None:
        heard.append(name)
        assert 0 < done <= of
        number = next(sequence)
        take(place.state_dir, [batch("beta/beta-1", number, [alert(number), alert(number)], 2 * number - 3)])

    made(place, tmp_path / "copy", write)
    last, position = positions(tmp_path / "copy")

    assert list(dict.fromkeys(heard)) == ["journal.db", "zeus.db"]
    assert next(sequence) > 20
    assert last == 8
    assert position >= last, "or the journal could have forgotten what the store has not"
    with closing(sqlite3.connect(tmp_path / "copy" / "zeus.db")) as db:
        rows, stored, repeated = db.execute(
            "SELECT (SELECT count(*) FROM alert), sum(stored), sum(repeated) FROM tally"
        ).fetchone()
    assert rows == stored == 12 + position - 8
    assert repeated == position - 8 + 1


def test_nothing_lies_beside_it(place: Place, tmp_path: Path) -> None:
    """No logs of SQLite's, and no half copy under another name."""
    made(place, tmp_path / "copy")

    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(("-wal", "-shm"))]
    assert {path.name for path in tmp_path.iterdir()} == {"copy", "state", "zeus.toml"}


def test_a_hub_that_never_ran_can_be_copied(place: Place, tmp_path: Path) -> None:
    """Clients and tokens are worth something already."""
    for path in place.state_dir.glob("journal.db*"):
        path.unlink()

    assert "journal.db" not in made(place, tmp_path / "copy").files


def test_a_folder_that_is_there_is_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    with pytest.raises(OperatorError, match="is there already"):
        made(place, tmp_path / "copy")

    assert list((tmp_path / "copy").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(place: Place, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot write the backup"):
        made(place, tmp_path / "nowhere" / "copy")


def test_without_a_database_there_is_nothing_to_copy(place: Place, tmp_path: Path) -> None:
    place.database.unlink()
    with pytest.raises(OperatorError, match="there is no database"):
        made(place, tmp_path / "copy")


@pytest.mark.parametrize("name", ["journal.db", "zeus.db"])
def test_a_damaged_file_makes_no_backup(place: Place, tmp_path: Path, name: str) -> None:
    """Whoever relies on it would find out too late."""
    table = {"zeus.db": "alert", "journal.db": "entry"}[name]
    path = place.state_dir / name
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(OperatorError, match=rf"{name} is damaged"):
        made(place, tmp_path / "copy")

    assert {path.name for path in tmp_path.iterdir()} == {"state", "zeus.toml"}


def test_a_copy_that_fails_leaves_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(backup, "sync", full)
    with pytest.raises(OperatorError, match="No space left"):
        made(place, tmp_path / "copy")

    assert {path.name for path in tmp_path.iterdir()} == {"state", "zeus.toml"}


def spoil(folder: Path, **changes: object) -> None:
    told = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(told | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "made by a newer version"),
        ({"schema": "9999"}, "made by a newer version"),
        ({"journal": 99}, "made by a newer version"),
        ({"journal": 1}, "whose journal this one cannot read"),
        ({"files": {"../../etc/passwd": {"size": 1, "sha256": "", "mode": 0}}}, "no part of a backup"),
        ({"files": {"/etc/passwd": {"size": 1, "sha256": "", "mode": 0}}}, "no part of a backup"),
        ({"files": {"ca/../x": {"size": 1, "sha256": "", "mode": 0}}}, "no part of a backup"),
        ({"files": {"ca": {"size": 1, "sha256": "", "mode": 0}}}, "no part of a backup"),
        ({"files": {"zeus.db": {"size": "many", "sha256": "", "mode": 0}}}, "cannot be read"),
        ({"files": []}, "cannot be read"),
        ({"format": "x"}, "cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(
    place: Place, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    made(place, tmp_path / "copy")
    spoil(tmp_path / "copy", **changes)
    with pytest.raises(OperatorError, match=words):
        read_manifest(tmp_path / "copy")


def test_a_folder_without_a_manifest_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"is no whole backup: manifest.json: no such file"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(OperatorError, match="cannot be read"):
        read_manifest(tmp_path)
