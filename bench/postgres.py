"""PostgreSQL as a peer of the store: its server, and what one may COPY into it.

It is given the best that there is: rows that are decoded and encoded beforehand, in COPY's binary format, in
files that it reads by itself, memory enough, and few checkpoints. A commit waits for the disk, as it does for
us (`synchronous_commit = on`).
"""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import BigInteger, Integer, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

import tests.postgres
from bench.gauge import MeasureError

USER = "nobody"  # the server refuses to run as root
SETTINGS = (
    "synchronous_commit=on",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "listen_addresses=",
    "autovacuum=off",
)
_HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
_ABSENT = b"\xff\xff\xff\xff"


def programs() -> Path | None:
    """Return the folder of the server's programs; None where there are none."""
    try:
        return tests.postgres.programs()
    except tests.postgres.AbsentError:
        return None


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    programs: Path
    folder: Path

    def made(self, name: str) -> str:
        """Make a database; return its URL."""
        self.run(f"CREATE DATABASE {name};")
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def run(self, script: str) -> None:
        """Run SQL from a file; raise MeasureError where some of it fails."""
        path = self.folder / "script.sql"
        path.write_text(script)
        command = [str(self.programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder)]
        command += ["-U", USER, "-d", "postgres", "-f", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MeasureError(f"psql: {done.stderr.strip()}")


@contextmanager
def served(programs: Path, folder: Path) -> Iterator[Server]:
    """Make a database in a folder and serve it on a socket there."""
    user = USER if os.geteuid() == 0 else None
    folder.mkdir()
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    made = [str(programs / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
    subprocess.run(made, check=True, user=user, stdout=subprocess.DEVNULL)
    options = " ".join(f"-c {each}" for each in (*SETTINGS, f"unix_socket_directories={folder}"))
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    subprocess.run([*control, "-o", options, "start"], check=True, user=user, stdout=subprocess.DEVNULL)
    try:
        yield Server(programs, folder)
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, user=user, stdout=subprocess.DEVNULL)


def schema(tables: Sequence[Table]) -> str:
    """Return the SQL that makes tables with all their indices."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made: list[DDLElement] = [CreateTable(table) for table in tables]
    made += [CreateIndex(index) for table in tables for index in table.indexes]
    return "".join(f"{each.compile(dialect=dialect)};\n" for each in made)


def copied(table: Table, rows: Sequence[Sequence[object]]) -> bytes:
    """Return rows as COPY's binary format has them."""
    numbers = [_number(column.type) for column in table.columns]
    begin = struct.pack(">h", len(numbers))
    parts = [_HEAD]
    for row in rows:
        parts.append(begin)
        for number, value in zip(numbers, row, strict=True):
            parts.append(_field(number, value))
    return b"".join((*parts, _END))


def _number(kind: object) -> struct.Struct | None:
    """Return how a whole number is written, None for what is text or bytes."""
    if not isinstance(kind, Integer):
        return None
    return struct.Struct(">iq" if isinstance(kind, BigInteger) else ">ii")


def _field(number: struct.Struct | None, value: object) -> bytes:
    if value is None:
        return _ABSENT
    if number is not None:
        return number.pack(number.size - 4, value)
    data = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
    return len(data).to_bytes(4, "big") + data
