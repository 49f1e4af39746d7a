"""Which database a test has: a file in the state folder, or one on a real PostgreSQL.

A module whose tests concern what is stored asks for the fixture `both` (conftest.py), and all of its tests
run on both; they open databases by `opened` or `url`, which know what is meant.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from tests import postgres
from tests.lacking import lacking
from tests.postgres import Server
from zeus_hub.database import open_database

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BOTH = (SQLITE, POSTGRESQL)
TEMPLATE = "migrated"


class Databases:
    """Those on a server, one for each state folder. The server starts with the first of them."""

    def __init__(self) -> None:
        self.kind = SQLITE
        self._stack = ExitStack()
        self._server: Server | None = None
        self._made: set[str] = set()
        self._opened: dict[Path, Engine] = {}

    @property
    def server(self) -> Server:
        """The server."""
        if self._server is None:
            try:
                self._server = self._stack.enter_context(postgres.served())
            except postgres.AbsentError as error:
                lacking(str(error))
            self._server.run(f"CREATE DATABASE {TEMPLATE}")
            open_database(self._server.url(TEMPLATE), Path()).dispose()
        return self._server

    def named(self, state_dir: Path, template: str = TEMPLATE) -> str:
        """Return the database of a state folder, which is made where it is missing."""
        name = _name(state_dir)
        if name not in self._made:
            self.server.run(f"CREATE DATABASE {name} TEMPLATE {template}")
            self._made.add(name)
        return name

    def opened(self, state_dir: Path) -> Engine:
        """Open the database of a state folder until the test ends."""
        engine = self._opened.get(state_dir)
        if engine is None:
            engine = self._opened[state_dir] = open_database(url(state_dir), state_dir)
        return engine

    def leave(self) -> None:
        """Let go of all connections: a test has ended."""
        for engine in self._opened.values():
            engine.dispose()
        self._opened.clear()

    def drop(self) -> None:
        """Forget all databases: a module has ended."""
        if self._made:
            self.server.run(*(f"DROP DATABASE {name} WITH (FORCE)" for name in sorted(self._made)))
        self._made.clear()

    def close(self) -> None:
        """Stop the server."""
        self._stack.close()


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


def copied(made: Path, folder: Path) -> Path:
    """Return a copy of a state folder, with its database."""
    if on_postgresql():
        DATABASES.leave()
        DATABASES.named(folder, _name(made))
    return Path(shutil.copytree(made, folder))


@contextmanager
def using(kind: str) -> Iterator[None]:
    """Have all tests of a module use one kind of database."""
    DATABASES.kind = kind
    try:
        yield
    finally:
        DATABASES.kind = SQLITE
        DATABASES.drop()


def _name(state_dir: Path) -> str:
    return "t" + hashlib.blake2b(str(state_dir.absolute()).encode(), digest_size=12).hexdigest()
