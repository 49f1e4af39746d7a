"""Wazuh's own database asked over its socket, as 4.x answers: four bytes of length, "ok" and a list."""

import json
import socket
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import agents, outside
from artemis_agent.probes.outside import UnknownError
from socme.v1.vitals_pb2 import Vitals, WazuhAgents
from tests.artemis_agent.probes.servers import hold, saying

ROWS = (
    b'ok [{"connection_status":"active","agents":12},{"connection_status":"disconnected","agents":2},'
    b'{"connection_status":"never_connected","agents":1}]'
)


@contextmanager
def database(wazuh: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve one question."""
    (wazuh / agents.SOCKET).parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(wazuh / agents.SOCKET))
        server.listen()

        def serve() -> None:
            line, _ = server.accept()
            with line:
                answer(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def framed(told: bytes) -> bytes:
    return struct.pack("<I", len(told)) + told


def test_agents_are_counted_by_their_connection(tmp_path: Path) -> None:
    asked = []

    def answer(line: socket.socket) -> None:
        (length,) = struct.unpack("<I", line.recv(4))
        asked.append(line.recv(length))
        told = framed(ROWS)
        line.sendall(told[:3])  # in pieces, as a socket may
        line.sendall(told[3:])

    with database(tmp_path, answer):
        found = agents.ask(tmp_path)

    assert found.wazuh.agents == WazuhAgents(active=12, disconnected=2, never_connected=1)
    assert asked == [agents.QUERY]
    assert b";" not in agents.QUERY


def test_the_question_is_sql_that_leaves_the_manager_out() -> None:
    """Of a table with the columns that 4.x has; agent 0 is the manager itself."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE agent (id INTEGER PRIMARY KEY, connection_status TEXT NOT NULL)")
        states = ["active", "active", "active", "pending"]
        db.executemany("INSERT INTO agent VALUES (?, ?)", enumerate(states))
        cursor = db.execute(agents.QUERY.decode().removeprefix("global sql "))
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]

    assert agents.parse(b"ok " + json.dumps(rows).encode()) == WazuhAgents(active=2, pending=1)


def test_a_machine_without_wazuh(tmp_path: Path) -> None:
    assert agents.ask(tmp_path) == Vitals()


def test_a_manager_without_agents() -> None:
    assert agents.parse(b"ok []") == WazuhAgents()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"err Cannot execute Global database query", "wazuh-db: Cannot execute"),
        (b"", "an empty answer"),
        (b"ok {", "something else than JSON"),
        (b"ok 3", "no list"),
        (b'due [{"id":1}]', "wazuh-db"),
    ],
)
def test_an_answer_that_is_none(answer: bytes, why: str) -> None:
    with pytest.raises(UnknownError, match=why):
        agents.parse(answer)


@given(st.binary())
def test_garbage(answer: bytes) -> None:
    for told in (answer, b"ok " + answer):
        try:
            agents.parse(told)
        except UnknownError:
            continue
        assert isinstance(json.loads(told.decode().removeprefix("ok ")), list)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)


@given(st.lists(st.dictionaries(st.sampled_from(["connection_status", "agents"]), JSON | st.just("active"))))
def test_any_rows(rows: list[object]) -> None:
    assert agents.parse(b"ok " + json.dumps(rows).encode()).SerializeToString() is not None


@pytest.mark.parametrize("said", [b"", b"\x05", struct.pack("<I", 5) + b"ok", b"\xff\xff\xff\xff" + ROWS])
def test_a_database_that_hangs_up_or_announces_too_much(tmp_path: Path, said: bytes) -> None:
    with (
        database(tmp_path, saying(said)),
        pytest.raises(UnknownError, match=r"wazuh-db (hung up|announces)"),
    ):
        agents.ask(tmp_path)


def test_a_database_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "LIMIT_SECONDS", 0.2)
    asked = threading.Event()
    with database(tmp_path, lambda _: hold(asked)):
        with pytest.raises(UnknownError, match="wazuh-db gave no answer in time"):
            agents.ask(tmp_path)
        asked.set()
