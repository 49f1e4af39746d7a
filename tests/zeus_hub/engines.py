"""Which database a test has: a file in the state folder, or one on a real PostgreSQL.

A module whose tests concern what is stored asks for the fixture `both` (conftest.py), and all of its tests
run on both; they open databases by `opened` or `url`, which know what is meant.
"""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from zeus_hub.database import HEAD, METADATA, open_database

if TYPE_CHECKING:
    from tests.postgres import Server

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BOTH = (SQLITE, POSTGRESQL)
TEMPLATE = "migrated"
_SCHEMA = """
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc),
(SELECT count(*) FROM pg_extension)
"""
_EMPTY = "; ".join(
    (
        "SET session_replication_role = replica",  # in any order
        "SET lock_timeout = '5s'",
        *(f'DELETE FROM "{name}"' for name in (*METADATA.tables, "alert_words")),
        "SELECT setval(seqrelid, 1, false) FROM pg_sequence",
    )
)


class Databases:
    """Those on a server, one for each state folder. The server starts with the first of them.

    To make one takes longer than most tests, so they are emptied and used again.
    """

    def __init__(self) -> None:
        self.kind = SQLITE
        self._stack = ExitStack()
        self._server: Server | None = None
        self._used: dict[Path, str] = {}
        self._kept: set[Path] = set()
        self._free: list[str] = []
        self._count = itertools.count(1)
        self._plain: tuple[object, ...] = ()  # what the template's schema is
        self._opened: dict[Path, Engine] = {}

    @property
    def server(self) -> "Server":
        """The server."""
        if self._server is None:
            # Processes that tests start import this module too, and have to be quick.
            from tests import postgres  # noqa: PLC0415
            from tests.lacking import lacking  # noqa: PLC0415

            try:
                self._server = self._stack.enter_context(postgres.served())
            except postgres.AbsentError as error:
                lacking(str(error))
            self._server.run("postgres", f"CREATE DATABASE {TEMPLATE}")
            open_database(self._server.url(TEMPLATE), Path()).dispose()
            self._plain = self._server.run(TEMPLATE, _SCHEMA)
        return self._server

    def named(self, state_dir: Path) -> str:
        """Return the database of a state folder."""
        if state_dir not in self._used:
            self._used[state_dir] = self._free.pop() if self._free else self.make(TEMPLATE)
        return self._used[state_dir]

    def make(self, template: str) -> str:
        """Make a database as another one is."""
        name = f"made_{next(self._count)}"
        self.server.run("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def use(self, state_dir: Path, name: str) -> None:
        """Have a state folder use a database that was made for it."""
        self.shut(state_dir)
        if state_dir in self._used:
            self._empty(self._used[state_dir])
        self._used[state_dir] = name

    def keep(self, state_dir: Path) -> None:
        """Keep a state folder's database until the module ends."""
        self._kept.add(state_dir)

    def opened(self, state_dir: Path) -> Engine:
        """Open the database of a state folder until the test ends."""
        engine = self._opened.get(state_dir)
        if engine is None:
            engine = self._opened[state_dir] = open_database(url(state_dir), state_dir)
        return engine

    def shut(self, state_dir: Path) -> None:
        """Let go of all connections to the database of a state folder."""
        if state_dir in self._opened:
            self._opened.pop(state_dir).dispose()

    def leave(self) -> None:
        """Let go of all connections: a test has ended."""
        for engine in self._opened.values():
            engine.dispose()
        self._opened.clear()
        for state_dir in self._used.keys() - self._kept:
            self._empty(self._used.pop(state_dir))

    def end(self) -> None:
        """Keep nothing: a module has ended."""
        self._kept.clear()
        self.leave()

    def close(self) -> None:
        """Stop the server."""
        self._stack.close()

    def _empty(self, name: str) -> None:
        """Take everything out of a database; one whose tables are others now is dropped."""
        plain = self.server.run(name, _SCHEMA) == self._plain
        if plain and self.server.run(name, "SELECT version_num FROM alembic_version") == (HEAD,):
            self.server.run(name, _EMPTY)
            self._free.append(name)
        else:
            self.server.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")


DATABASES = Databases()


def on_postgresql() -> bool:
    """Tell which of the two it is."""
    return DATABASES.kind == POSTGRESQL


def url(state_dir: Path) -> str:
    """Return the URL of a state folder's database."""
    if not on_postgresql():
        return "sqlite:///zeus.db"
    return DATABASES.server.url(DATABASES.named(state_dir))


def opened(state_dir: Path) -> Engine:
    """Open a state folder's database; it is closed when the test ends."""
    return DATABASES.opened(state_dir)


def blank(state_dir: Path) -> str:
    """Have a state folder use a database that nobody has used yet; return its URL."""
    if on_postgresql():
        DATABASES.use(state_dir, DATABASES.make("template0"))
    return url(state_dir)


def lose(state_dir: Path) -> None:
    """Have a state folder use a database in which there is nothing any more."""
    DATABASES.shut(state_dir)
    if on_postgresql():
        DATABASES.use(state_dir, DATABASES.make(TEMPLATE))
    for path in state_dir.glob("zeus.db*"):
        path.unlink()


def copied(made: Path, folder: Path) -> Path:
    """Return a copy of a state folder that is kept, with its database."""
    if on_postgresql():
        DATABASES.use(folder, DATABASES.make(DATABASES.named(made)))
    return Path(shutil.copytree(made, folder))


@contextmanager
def using(kind: str) -> Iterator[None]:
    """Have all tests of a module use one kind of database."""
    DATABASES.kind = kind
    try:
        yield
    finally:
        DATABASES.end()
        DATABASES.kind = SQLITE
