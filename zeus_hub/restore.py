"""Put a backup back in a hub's place.

Everything is copied beside where it belongs, compared with the manifest and checked, before anything that
is there is touched; then it takes few renames. A database on a server was restored there before, and is made
to fit what is restored here. What was there is moved aside, never deleted. The CA goes
first and comes last, file by file: without one of them no hub starts, so one that finds half of a restore
after a power cut refuses.
"""

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select, update

from socme.errors import OperatorError
from socme.identity import sync
from socme.journal import Journal
from zeus_hub import database, ledger
from zeus_hub.alone import alone
from zeus_hub.backup import (
    DATABASE,
    DATABASES,
    FOLDERS,
    JOURNAL,
    SETTINGS,
    Manifest,
    Place,
    check_database,
    digest,
    read_manifest,
)
from zeus_hub.ca import open_authority
from zeus_hub.database import NoDatabaseError, microseconds, open_database, writing
from zeus_hub.deep import IDENTITY
from zeus_hub.ledger import Balance

_STAGING = ".restored"  # folder beside what it will replace
_MOVED = (*FOLDERS, *DATABASES, "hub.json", "pulse.json")  # what makes a state folder a hub's


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done."""

    manifest: Manifest
    aside: str
    """The ending of the names that what was there has now; empty where nothing was."""


def restore(source: Path, place: Place, *, force: bool, now: datetime) -> Restored:
    """Put a backup in its place; with `force`, move the hub that is there aside."""
    manifest = read_manifest(source)
    _refuse_another_kind(source, manifest, place)
    try:
        place.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(place.state_dir):
            there = [name for name in _MOVED if any(path.exists() for path in _parts(place.of(name)))]
            if there and not force:
                raise OperatorError(
                    f"{place.state_dir} holds a hub already ({', '.join(there)})",
                    "Use --force to move it aside: nothing is deleted.",
                )
            staged = _stage(source, manifest, place, now)
            aside = f".before-restore-{now:%Y%m%dT%H%M%SZ}" if there else ""
            _swap(place, staged, aside)
    except OSError as error:
        raise OperatorError(
            f"cannot restore to {place.state_dir}: {error.strerror or error}",
            "Check the free space, and that this is run as the user that Zeus runs as.",
        ) from error
    return Restored(manifest, aside)


def _refuse_another_kind(source: Path, manifest: Manifest, place: Place) -> None:
    """Refuse a backup with a database in a file where it belongs on a server, and the other way round."""
    if place.server and DATABASE in manifest.files:
        raise OperatorError(
            f"{source} holds a SQLite database, and store.url names a server",
            'Restore it with store.url = "sqlite:///zeus.db".',
        )
    if not place.server and DATABASE not in manifest.files:
        raise OperatorError(
            f"{source} holds no database: it was on a server",
            "Set store.url to a database into which its dump was restored.",
        )


def _stage(source: Path, manifest: Manifest, place: Place, now: datetime) -> list[str]:
    """Copy everything beside its place and check it; return what there is. Clean up where it fails."""
    names = sorted({name.partition("/")[0] for name in manifest.files})
    if place.settings.exists():
        names = [name for name in names if name != SETTINGS]
    _clear(place)
    try:
        for name in names:
            _copy(source, manifest, name, _fresh(place, name))
        for name in (name for name in names if name in DATABASES):
            check_database(_fresh(place, name), "integrity_check")
        _settle(place, names, now)
        for name in names:
            _sync(_fresh(place, name))
    except BaseException:
        _clear(place)
        raise
    return names


def _copy(source: Path, manifest: Manifest, name: str, target: Path) -> None:
    """Copy a file or a folder, as the manifest says it must be."""
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    for path, about in manifest.files.items():
        first, _, rest = path.partition("/")
        if first != name:
            continue
        copy = target / rest if rest else target
        if rest:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            shutil.copyfile(source / path, copy)
        except FileNotFoundError as error:
            raise OperatorError(f"the backup {source} lacks {path}", "Use another one.") from error
        if (copy.stat().st_size, digest(copy)) != (about.size, about.sha256):
            raise OperatorError(f"the backup {source} is damaged: {path} has changed", "Use another one.")
        copy.chmod(about.mode & 0o777)


def _settle(place: Place, names: list[str], now: datetime) -> None:
    """Make the copies fit each other and the time that has gone by, and see that they can be opened."""
    if "ca" in names:
        open_authority(_fresh(place, "ca").parent, now=now)
    fresh = _fresh(place, DATABASE)
    url = place.server or f"sqlite:///{fresh.absolute()}"
    try:
        engine = open_database(url, fresh.parent, create=False)
    except NoDatabaseError as error:
        raise OperatorError(error.args[0], "Restore its dump first (pg_restore), then this.") from error
    try:
        with writing(engine) as connection:
            # Else a token that was used since could be used a second time.
            token = database.token
            unused = update(token).where(token.c.used_us.is_(None), token.c.expires_us > microseconds(now))
            connection.execute(unused.values(expires_us=microseconds(now)))
        if JOURNAL in names:
            path = _fresh(place, JOURNAL)
            known = ledger.balances(engine, path)
            with closing(Journal(path)) as journal, writing(engine) as connection:
                _fit(connection, journal, known)
    finally:
        engine.dispose()
    for name in (name for name in DATABASES if name in names):
        _close(_fresh(place, name))


def _close(path: Path) -> None:
    """Have all of a database in its one file, which alone will be moved."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _fit(connection: Connection, journal: Journal, known: list[Balance]) -> None:
    """Give the journal a new identity, and say in the database how far it was read.

    New, because positions behind its end will be given a second time: a watcher that was ahead must not
    go on as if nothing had happened. The store may be ahead too; what it counted of batches that are no
    longer in the journal is taken out of its tally, for the journal's accounts do not have them either.
    """
    old, new, last = journal.note(IDENTITY), secrets.token_bytes(16), journal.last()
    table = database.sink
    journal.append([], notes={IDENTITY: new})
    for row in connection.execute(select(table).where(table.c.journal == old)).all():
        position = min(row.position, last)
        connection.execute(
            update(table).where(table.c.name == row.name).values(journal=new, position=position)
        )
        if row.position > last:
            for balance in known:
                _reduce(connection, balance)


def _reduce(connection: Connection, balance: Balance) -> None:
    """Take out of a node's tally what its account does not have."""
    counts = {name: getattr(balance, name) for name in ("stored", "repeated", "canaries", "unreadable")}
    beyond = sum(counts.values()) - balance.account.taken - balance.account.own
    for name, count in counts.items():
        taken = max(0, min(count, beyond))
        counts[name] -= taken
        beyond -= taken
    node, client, table = database.node, database.client, database.tally
    owner = select(node.c.id).join_from(node, client)
    owner = owner.where(client.c.name == balance.client, node.c.name == balance.node)
    before = table.c.rows_before + balance.stored - counts["stored"]  # the rows themselves stay
    mine = update(table).where(table.c.node_id.in_(owner))
    connection.execute(mine.values(**counts, rows_before=before))


def _swap(place: Place, staged: list[str], aside: str) -> None:
    """Move what is there aside and what is staged in its place."""
    ca = place.of("ca")
    ca.mkdir(mode=0o700, exist_ok=True)
    if aside:
        _move_ca(ca, ca.with_name(ca.name + aside))
        for path in (part for name in _MOVED if name != "ca" for part in _parts(place.of(name))):
            if path.exists():
                path.rename(_aside(path, aside))
    for name in (name for name in staged if name != "ca"):
        _fresh(place, name).rename(place.of(name))
    if "ca" in staged:
        _move_ca(_fresh(place, "ca"), ca)
    else:
        ca.rmdir()
    _clear(place)
    for folder in {place.of(name).parent for name in (*staged, "ca")}:
        sync(folder)


def _move_ca(source: Path, target: Path) -> None:
    """Move the files of a CA, and keep its folder: where there is none, a hub makes a new CA."""
    target.mkdir(mode=0o700, exist_ok=True)
    for path in sorted(source.iterdir()):
        path.rename(target / path.name)
        sync(source)
        sync(target)


def _parts(path: Path) -> list[Path]:
    """Return a path and those of what SQLite keeps beside it: a log must never meet another database."""
    return [path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))]


def _aside(path: Path, ending: str) -> Path:
    """Return another name for a path, under which SQLite still finds what it kept beside it."""
    for part in ("-wal", "-shm"):
        if path.name.endswith(part):
            return path.with_name(path.name.removesuffix(part) + ending + part)
    return path.with_name(path.name + ending)


def _fresh(place: Place, name: str) -> Path:
    """Return where something is staged: on the disk of its place, so that a rename brings it there."""
    path = place.of(name)
    return path.parent / _STAGING / path.name


def _clear(place: Place) -> None:
    """Remove what a restore staged, now or before it was cut off."""
    for name in (JOURNAL, DATABASE, SETTINGS):
        shutil.rmtree(_fresh(place, name).parent, ignore_errors=True)


def _sync(path: Path) -> None:
    """Put a file or folder, and all in it, on disk."""
    for part in (path, *path.rglob("*")):
        if part.is_dir():
            sync(part)
        else:
            with part.open("rb") as file:
                os.fsync(file.fileno())
