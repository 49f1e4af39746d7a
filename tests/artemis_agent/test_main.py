"""How `artemis` begins, as a process: the daemon, and what keeps it from beginning."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.artemis_agent.command import artemis
from tests.flow.programs import environment

SOURCE = '[[source]]\nkind = "suricata"\npath = "eve.json"\n'


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (SOURCE, "artemis: not enrolled: "),
        ("", "wrong settings:\n    source: this key is needed"),
        (SOURCE + "[filter]\nmin_severity = 7\n", "filter.min_severity: "),
    ],
)
def test_what_keeps_it_from_running_is_told_once(settings: str, told: str, tmp_path: Path) -> None:
    config = tmp_path / "artemis.toml"
    config.write_text(f'state_dir = "state"\n{settings}')

    done = artemis("run", "--config", config)

    complaint = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert complaint.count("artemis: ") == 1
    assert told in complaint
    assert "Traceback" not in complaint


def test_run_explains_itself() -> None:
    done = artemis("run", "--help")

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--debug" in done.stdout


def test_wrong_usage() -> None:
    done = artemis("run", "--fast")

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"No such option: --fast" in done.stderr


def test_it_begins_with_nothing_that_is_large() -> None:
    """What it imports here, the daemon has in memory as well."""
    told = "import sys, artemis_agent.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, text=True)
    large = {"typer", "pydantic", "asyncio", "grpc", "ssl", "_hashlib"}

    assert not large & set(loaded.stdout.split())


def test_a_daemon_holds_neither_openssl_nor_what_is_for_settings_alone(tmp_path: Path) -> None:
    """One import of hashlib too early would have it for good. This one ends as soon as all is imported."""
    config = tmp_path / "artemis.toml"
    config.write_text(f'state_dir = "state"\n{SOURCE}')
    program = "import atexit, sys; atexit.register(lambda: print(*sys.modules))\n"
    program += "from artemis_agent.__main__ import main; main()"
    command = [sys.executable, "-c", program, "run", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, env=environment())
    loaded = set(done.stdout.split())

    assert "not enrolled" in done.stderr
    assert {"artemis_agent.agent", "grpc", "hashlib"} <= loaded
    assert not {"typer", "pydantic", "ssl", "_ssl", "_hashlib"} & loaded
