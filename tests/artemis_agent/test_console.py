"""`artemis vitals`, whoever asks and whatever is set up."""

import asyncio
import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from artemis_agent import console, ledger, lock
from artemis_agent.collect import SCHEMA
from artemis_agent.salvage import FILE
from artemis_agent.spool import open_spool
from socme import commands, identity
from socme.errors import OperatorError
from socme.v1.vitals_pb2 import SourceVitals
from tests.certificates import make_authority
from tests.conftest import REPOSITORY

NOBODY = 65534


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "artemis.toml"
    path.write_text('state_dir = "state"\n[[source]]\nkind = "suricata"\npath = "eve.json"\n')
    return path


def vitals(*arguments: str | Path, command: Sequence[str] = (), **variables: str) -> str:
    """Run the command and return what it prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ARTEMIS_")}
    done = subprocess.run(
        [*command, sys.executable, "-m", "artemis_agent", "vitals", *map(str, arguments)],
        capture_output=True,
        check=False,
        env=environment | variables,
        cwd=REPOSITORY,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def on_a_terminal(*arguments: str | Path, **variables: str) -> str:
    """Run the command on a terminal of 100 columns and return what it writes there."""
    ours, its = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"} | variables
    child = subprocess.Popen(
        [sys.executable, "-m", "artemis_agent", "vitals", *map(str, arguments)], stdout=its, env=environment
    )
    os.close(its)
    told = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how a terminal ends
            break
        if not piece:
            break
        told += piece
    os.close(ours)
    assert child.wait() == 0
    return told.decode()


def test_without_settings_and_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(commands, "config_path", lambda _program: tmp_path / "none.toml")
    monkeypatch.setenv("ARTEMIS_STATE_DIR", str(tmp_path / "none"))

    found = console.gather(tmp_path / "none.toml")

    assert found.hostname
    assert found.system.kernel
    assert 0 <= found.cpu_usage <= 1
    assert found.agent_uptime_seconds == found.agent_memory_bytes == 0, "this command is not the agent"
    assert not found.HasField("certificate_expires")
    assert not {"settings", "spool", "certificate_expires"} & set(found.unknown)


def test_settings_that_are_named_and_missing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="there is no settings file"):
        console.gather(tmp_path / "none.toml")


def test_usual_settings_that_are_wrong_hide_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual = tmp_path / "artemis.toml"
    usual.write_text("[probes]\nsuricata_unit = 7\n")
    monkeypatch.setattr(commands, "config_path", lambda _program: usual)

    found = console.gather(usual)

    assert "wrong settings" in found.unknown["settings"]
    assert found.hostname


def test_settings_need_not_be_complete(tmp_path: Path) -> None:
    path = tmp_path / "artemis.toml"
    path.write_text(
        'state_dir = "state"\nsomething_newer = 7\n[probes]\nthehive_url = "http://127.0.0.1:1"\n'
    )

    found = console.gather(path)

    assert "no answer from 127.0.0.1:1" in found.unknown["thehive.version"]


def test_what_the_agent_left_on_disk_is_told(tmp_path: Path, config: Path) -> None:
    """Its certificate, its sources, and what was read in the hour that has begun and 23 before it."""
    state, name = tmp_path / "state", str(tmp_path / "eve.json")
    own = make_authority().node("127.0.0.1:1")
    identity.save(state, own)
    leave(state, name, {0: 5, 23: 6, 24: 100})

    found = console.gather(config)

    assert found.certificate_expires.ToDatetime(own.expires.tzinfo) == own.expires
    assert [source.name for source in found.sources] == [name]
    assert found.suricata.day_records == 11


def leave(state: Path, name: str, read: dict[int, int]) -> None:
    """Leave a spool behind; `read` is what was read so many hours ago."""
    state.mkdir(exist_ok=True)
    spool = open_spool(state, max_bytes=1 << 30, schema=SCHEMA)
    asyncio.run(spool.close())
    totals = SourceVitals(name=name, kind="suricata")
    with closing(sqlite3.connect(state / FILE)) as db, db:
        db.execute(
            'INSERT INTO note (key, value, "check") VALUES (?, ?, 0)',
            (f"counters:{name}", totals.SerializeToString()),
        )
        for hours, count in read.items():
            ledger.add(db, name, ledger.this_hour() - hours, {"read": count})


def test_a_daemon_is_told_as_such(tmp_path: Path, config: Path) -> None:
    """Its memory and how long it runs, not this command's; and the clock, as it knows it."""
    state = tmp_path / "state"
    leave(state, str(tmp_path / "eve.json"), {})
    told = {"format": 1, "pid": os.getppid(), "clock_offset_seconds": 0.25, "sources": [], "spool": {}}
    (state / "status.json").write_text(json.dumps(told))
    held = lock.take(state)
    found = console.gather(config)
    assert found.clock_offset_seconds == 0.25
    assert found.agent_memory_bytes > 0
    (state / "status.json").write_text(json.dumps(told | {"pid": 2**22 + 1}))
    assert "NoSuchProcess" in console.gather(config).unknown["agent_memory_bytes"]
    os.close(held)
    assert not console.gather(config).HasField("clock_offset_seconds")


def test_a_spool_that_is_none_hides_nothing_else(tmp_path: Path, config: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / FILE).write_text("no database, and long enough to be read as one" * 100)

    found = console.gather(config)

    assert "cannot read" in found.unknown["spool"]
    assert found.hostname


def test_nobody_is_told_what_the_agents_folder_does_not_tell(tmp_path: Path, config: Path) -> None:
    """And all the rest."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    leave(tmp_path / "state", str(tmp_path / "eve.json"), {})
    (tmp_path / "state").chmod(0o700)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*nobody, sys.executable, "-c", "import grpc"], check=False, cwd=REPOSITORY).returncode:
        pytest.skip("nobody may not use this Python")

    told = json.loads(vitals("--json", "--config", config, command=nobody))
    picture = vitals("--config", config, command=nobody)

    assert told["hostname"]
    assert told["system"]["kernel"]
    assert "ermission denied" in told["unknown"]["spool"]
    assert "permission denied" in told["unknown"]["certificate_expires"]
    assert "unknown: permission denied" in picture.replace("Permission", "permission")


def test_colours_are_for_terminals_and_whoever_wants_them(config: Path) -> None:
    assert "\x1b" not in vitals("--config", config)
    assert "\x1b[1m" in on_a_terminal("--config", config)
    assert "\x1b" not in on_a_terminal("--config", config, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal("--config", config, TERM="dumb")
    assert "\x1b[1m" in on_a_terminal("--config", config, NO_COLOR=""), "as no-color.org has it"


def test_a_terminal_is_not_overflowed(config: Path) -> None:
    lines = on_a_terminal("--config", config, NO_COLOR="1", COLUMNS="64").splitlines()

    assert max(map(len, lines)) <= 64
