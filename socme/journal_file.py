"""The file under a journal: opened, or refused with what to do; and what its errors mean."""

import pkgutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from socme.errors import OperatorError

VERSION = 4  # of the schema, kept in PRAGMA user_version
BUSY_SECONDS = 10.0  # how long to wait for another process (`artemis status`) that holds the file
KEEP = "Move it away (keep it: it may hold alerts) and start again."
_DISK = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file is read-only",
    sqlite3.SQLITE_IOERR: "the disk has an input/output error",
    sqlite3.SQLITE_BUSY: "another program holds the file",
    sqlite3.SQLITE_LOCKED: "another program holds the file",
    sqlite3.SQLITE_PROTOCOL: "another program holds the file",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
}


class DamagedError(OperatorError):
    """A file that is no journal, or no longer."""


def disk_fault(error: sqlite3.Error) -> str:
    """Return why a file cannot be used now; empty where the disk is well, and so the file is not."""
    return _DISK.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF, "")


def open_file(path: Path, schema: str) -> sqlite3.Connection:
    """Open the file of a journal, making it with its tables where there is none; refuse any other."""
    _refuse_what_would_be_begun_anew(path)
    with suppress(OSError):  # SQLite says it better, and gives its log, which holds alerts, this file's mode
        path.touch(mode=0o600)
    try:
        db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, path, schema)
        except BaseException:
            db.close()
            raise
    except sqlite3.DatabaseError as error:
        if disk_fault(error):
            raise OperatorError(
                f"cannot open {path}: {error}",
                "Check that its folder exists, that this user may write there, and the free space.",
            ) from error
        raise DamagedError(f"{path} is damaged: {error}", KEEP) from error
    except UnicodeDecodeError as error:  # of a name in its schema, or of what SQLite says of it
        raise DamagedError(f"{path} is damaged: {error}", KEEP) from error
    path.chmod(0o600)
    return db


def _refuse_what_would_be_begun_anew(path: Path) -> None:
    """SQLite takes one byte for none, and of a file of none it deletes the log, whatever that holds."""
    size = _size(path)
    if size == 1 or (size == 0 and _size(Path(f"{path}-wal"))):
        raise DamagedError(f"{path} is damaged: {size} bytes of it are left", KEEP)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # SQLite says it better
        return 0


def refuse_other_versions(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of the schema, 0 for an empty file; raise OperatorError where it is not ours."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise OperatorError(
            f"{path} was written by a newer version (schema {version}, this program knows {VERSION})",
            "Update this program, or move the file away to begin anew.",
        )
    if 0 < version < VERSION:
        raise OperatorError(
            f"{path} was written by an older version (schema {version}, this program needs {VERSION})",
            "Let the version that wrote it finish its work first, or move the file away (keep it: it may hold"
            " alerts) to begin anew.",
        )
    return version


def _prepare(db: sqlite3.Connection, path: Path, schema: str) -> None:
    version = refuse_other_versions(db, path)
    made = f"{sql('journal')}\n{schema}"
    found = _objects(db)
    if not found >= _wanted(made) if version else found:
        names = ", ".join(sorted({table for _, table, _ in found}))
        raise DamagedError(f"{path} is no journal: its tables are {names or 'gone'}", KEEP)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = OFF")  # else trimming writes back what it forgets
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE;\n{made}\nPRAGMA user_version = {VERSION};\nCOMMIT;")


def sql(name: str) -> str:
    """Return the statements that make a part of the schema."""
    found = pkgutil.get_data("socme", f"sql/{name}.sql")
    assert found is not None  # noqa: S101 - it is shipped with the package
    return found.decode()


def _objects(db: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    """Return the name, the table and the definition of all that a file's schema has."""
    return set(db.execute("SELECT name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def _wanted(made: str) -> set[tuple[str, str, str | None]]:
    """Return what the schema of a file has that is made by these statements."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(made)
        return _objects(db)
