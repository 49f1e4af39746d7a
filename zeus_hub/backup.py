"""A copy of everything that makes a hub, taken while it serves; restore.py puts it back.

A backup is a folder: journal.db, zeus.db, ca/, operator/, zeus.toml, and manifest.json, which names every
file with its size and SHA-256. It is written under another name, synced, and renamed, so that a folder
that has its name is whole. A database on a server is not in it: that has tools of its own, and its dump
belongs to the backup.

The journal is copied before the database. So whatever the store has of the copied journal is in the copied
database too, and what it has beyond the journal's end comes again and is recognised by its id; the other
way round, the journal could have forgotten in between what the copied database does not have yet.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from socme import VERSION as PROGRAM
from socme import journal
from socme.errors import OperatorError
from socme.identity import sync
from zeus_hub.database import HEAD

FORMAT = 1  # of manifest.json and of what the folder holds
MANIFEST = "manifest.json"
JOURNAL, DATABASE, SETTINGS = "journal.db", "zeus.db", "zeus.toml"
FOLDERS = ("ca", "operator")  # of which every file is copied
DATABASES = (JOURNAL, DATABASE)
_PAGES = 2048  # of a database copied between two reports
_PIECE = 1024 * 1024  # bytes read at once
_LARGEST_MANIFEST = 1024 * 1024  # bytes
_NAME_ANOTHER = "Name a folder that `zeus backup` made."

Tell = Callable[[str, int, int], None]
"""Hears what is being copied, how many bytes of it are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hub's things are."""

    state_dir: Path
    database: Path
    settings: Path
    """The settings file."""
    server: str = ""
    """The URL of a database that lies on a server; empty where it is the file."""

    @property
    def databases(self) -> tuple[str, ...]:
        """Return those of its databases that are files."""
        return (JOURNAL,) if self.server else DATABASES

    def of(self, name: str) -> Path:
        """Return where a file or folder of a backup belongs."""
        return {DATABASE: self.database, SETTINGS: self.settings}.get(name, self.state_dir / name)


@dataclass(frozen=True, slots=True)
class File:
    """One file of a backup."""

    size: int
    sha256: str
    mode: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    format: int
    made: str
    """ISO 8601, UTC."""
    program: str
    """Version of the program that made it."""
    schema: str
    """Of the database."""
    journal: int
    """Version of the journal's schema."""
    files: Mapping[str, File]
    """By their paths within the folder."""


def back_up(place: Place, target: Path, *, now: datetime, tell: Tell) -> Manifest:
    """Copy a hub's things into a new folder; the hub may run or not."""
    if target.exists():
        raise OperatorError(
            f"{target} is there already", "Name a folder that is not; each backup is a new one."
        )
    if not place.server and not place.database.is_file():
        raise OperatorError(f"there is no database {place.database}", "Is this the right --config?")
    fresh = None
    try:
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        manifest = _fill(place, fresh, now, tell)
        sync(fresh)
        fresh.rename(target)
        sync(target.parent)
    except OSError as error:
        raise OperatorError(
            f"cannot write the backup {target}: {error.strerror or error}",
            "Name a folder on a disk with room, where this user may write.",
        ) from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Read what a backup says of itself; refuse what is none, or a newer one."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            manifest = TypeAdapter(Manifest).validate_json(file.read(_LARGEST_MANIFEST))
    except OSError as error:
        raise OperatorError(
            f"{folder} is no whole backup: {MANIFEST}: {(error.strerror or '').lower()}", _NAME_ANOTHER
        ) from error
    except ValidationError as error:
        raise OperatorError(f"{folder} is damaged: {MANIFEST} cannot be read", _NAME_ANOTHER) from error
    if manifest.format > FORMAT or manifest.schema > HEAD or manifest.journal > journal.VERSION:
        raise OperatorError(
            f"{folder} was made by a newer version ({manifest.program})", "Update this program first."
        )
    if manifest.journal < journal.VERSION:
        raise OperatorError(
            f"{folder} was made by a version whose journal this one cannot read ({manifest.program})",
            "Restore it with that version.",
        )
    strange = [name for name in manifest.files if not _belongs(name)]
    if strange:
        raise OperatorError(f"{folder} holds what is no part of a backup: {strange[0]}", "Do not use it.")
    return manifest


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def check_database(path: Path, pragma: str) -> None:
    """Raise OperatorError where SQLite finds damage; `pragma` says how closely it looks."""
    try:
        with closing(sqlite3.connect(path)) as db:
            told = [row[0] for row in db.execute(f"PRAGMA {pragma}(1)")]
    except sqlite3.DatabaseError as error:
        told = [error]
    if told != ["ok"]:
        raise OperatorError(f"{path.name} is damaged: {told[0]}", "See `zeus check --deep`.")


def _fill(place: Place, fresh: Path, now: datetime, tell: Tell) -> Manifest:
    """Copy everything and write the manifest; all of it is on disk when this returns."""
    for name in place.databases:
        if place.of(name).is_file():
            _copy_database(place.of(name), fresh / name, tell)
    for name in (*FOLDERS, SETTINGS):
        _copy(place.of(name), fresh / name)
    files = {
        str(path.relative_to(fresh)): File(
            path.stat().st_size, digest(path), stat.S_IMODE(path.stat().st_mode)
        )
        for path in _files(fresh)
    }
    made = now.isoformat(timespec="seconds")
    manifest = Manifest(FORMAT, made, PROGRAM, HEAD, journal.VERSION, files)
    written = fresh / MANIFEST
    written.write_text(json.dumps(asdict(manifest), indent=1) + "\n")
    written.chmod(0o600)
    _sync_file(written)
    for folder in (path for path in sorted(fresh.rglob("*")) if path.is_dir()):
        sync(folder)
    return manifest


def _copy_database(source: Path, target: Path, tell: Tell) -> None:
    """Copy a database as of one moment, while others write to it."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(source, isolation_level=None)) as db, closing(_connect(target)) as copy:
            size = int(db.execute("PRAGMA page_size").fetchone()[0])
            # A transaction that reads holds the moment: without one, each write to the source would make
            # the copy begin anew.
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            db.backup(
                copy,
                pages=_PAGES,
                progress=lambda _, left, all_: tell(target.name, (all_ - left) * size, all_ * size),
            )
    except sqlite3.Error as error:
        raise OperatorError(
            f"cannot copy {source}: {error}", "Check the free space, and `zeus check`."
        ) from error
    check_database(target, "quick_check")
    _sync_file(target)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or every file of a folder, with its mode; leave out what is not there."""
    if source.is_dir():
        target.mkdir(mode=0o700)
        for part in sorted(source.iterdir()):
            _copy(part, target / part.name)
    elif source.is_file():
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
        _sync_file(target)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _belongs(name: str) -> bool:
    """Tell whether a file of this path can be a part of a backup; nothing may lead out of its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name:
        return False
    return name in (*DATABASES, SETTINGS) or (len(path.parts) > 1 and path.parts[0] in FOLDERS)
