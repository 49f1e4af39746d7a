"""How `artemis` begins, as a process: the daemon, and what keeps it from beginning."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = '[[source]]\nkind = "suricata"\npath = "eve.json"\n'


def artemis(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "artemis_agent", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, text=True)


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

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("artemis: ") == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_run_explains_itself() -> None:
    done = artemis("run", "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert "--debug" in done.stdout


def test_wrong_usage() -> None:
    done = artemis("run", "--fast")

    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option: --fast" in done.stderr


def test_it_begins_with_nothing_that_is_large() -> None:
    """What it imports here, the daemon has in memory as well."""
    told = "import sys, artemis_agent.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, text=True)

    assert not {"typer", "pydantic", "asyncio", "grpc"} & set(loaded.stdout.split())
