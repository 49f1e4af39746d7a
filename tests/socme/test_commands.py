"""How commands end: exit codes, messages, broken pipes. Tried with a program of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from artemis_agent.config import ArtemisSettings
from hermes_display.config import HermesSettings
from socme import VERSION, commands
from socme.errors import OperatorError
from socme.settings import Settings
from zeus_hub.config import ZeusSettings

PROGRAM = """
import os, signal, sys
import typer
from socme import commands
from socme.commands import ConfigOption, JsonOption
from socme.errors import OperatorError

app = commands.application("prog", "Does things.")

@app.command()
def fail(name: str, config: ConfigOption = commands.config_path("prog"), as_json: JsonOption = False) -> None:
    raise OperatorError(f"{name} is broken ({config}, {as_json})", "Mend it.")

@app.command()
def much() -> None:
    for number in range(100_000):
        print(number)

@app.command()
def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

@app.command()
def crash() -> None:
    raise ValueError("a bug")

@app.command()
def work(context: typer.Context, what: str) -> None:
    commands.hand_on(context, what)

code, left = commands.run(app, "prog")
if left:
    print("left:", left)
sys.exit(code)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


def test_a_failure_is_a_message_and_a_mend() -> None:
    done = run("fail", "it")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "prog: it is broken (/etc/socme/prog.toml, False)\n  Mend it.\n"


def test_what_a_command_leaves_to_be_done_is_handed_on() -> None:
    assert run("work", "much").stdout == "left: much\n"


def test_config_may_come_last() -> None:
    assert "(x.toml, True)" in run("fail", "it", "--json", "--config", "x.toml").stderr


@pytest.mark.parametrize(
    "arguments", [["fail"], ["fail", "it", "--bad"], ["fly"], ["fail", "it", "more"], []]
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert "Usage: prog" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert run("--version").stdout == f"prog {VERSION}\n"
    assert "Does things." in run("--help").stdout
    assert run("--help").returncode == 0


def test_an_interrupt_is_no_error() -> None:
    done = run("interrupt")

    assert (done.returncode, done.stderr) == (130, "")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """As in `prog much | head -1`."""
    command = [sys.executable, "-c", PROGRAM, "much"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()

        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_a_bug_keeps_its_traceback() -> None:
    """It is ours to mend, not the operator's."""
    done = run("crash")

    assert done.returncode == 1
    assert "Traceback" in done.stderr


class TestStateDir:
    """Where state lies, from settings that need not be complete."""

    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PROG_STATE_DIR", raising=False)

    def test_named_in_the_settings(self, tmp_path: Path) -> None:
        """Relative to the file; whatever else is in there."""
        config = tmp_path / "prog.toml"
        config.write_text('state_dir = "state"\nnonsense = 1\n')

        assert commands.state_dir(config, program="prog") == tmp_path / "state"

    def test_not_named(self, tmp_path: Path) -> None:
        """The default."""
        config = tmp_path / "prog.toml"
        config.write_text("")

        assert commands.state_dir(config, program="prog") == Path("/var/lib/prog")

    def test_no_settings_at_all(self, tmp_path: Path) -> None:
        """Fine where they are by default, an error where someone named them."""
        assert commands.state_dir(commands.config_path("prog"), program="prog") == Path("/var/lib/prog")
        with pytest.raises(OperatorError, match="there is no settings file"):
            commands.state_dir(tmp_path / "prog.toml", program="prog")

    def test_named_in_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It overrides the file."""
        config = tmp_path / "prog.toml"
        config.write_text('state_dir = "state"\n')
        monkeypatch.setenv("PROG_STATE_DIR", "/elsewhere")

        assert commands.state_dir(config, program="prog") == Path("/elsewhere")

    @pytest.mark.parametrize("text", ["state_dir = 7", "state_dir = [", "\xff"])
    def test_nonsense(self, tmp_path: Path, text: str) -> None:
        """One message each."""
        config = tmp_path / "prog.toml"
        config.write_bytes(text.encode("latin-1"))

        with pytest.raises(OperatorError, match=r"prog\.toml"):
            commands.state_dir(config, program="prog")

    def test_a_folder(self, tmp_path: Path) -> None:
        """As a settings file."""
        with pytest.raises(OperatorError, match="cannot read the settings file"):
            commands.state_dir(tmp_path, program="prog")


@pytest.mark.parametrize(
    ("program", "settings"),
    [("artemis", ArtemisSettings), ("zeus", ZeusSettings), ("hermes", HermesSettings)],
)
def test_default_places_are_those_of_the_settings(program: str, settings: type[Settings]) -> None:
    """`state_dir` reads settings without their class; both must say the same."""
    path = commands.config_path(program)

    assert commands.state_dir(path, program=program) == settings.model_fields["state_dir"].default


def test_who_runs_a_command_is_who_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever sudo made of them; without a terminal, the user of the process."""
    monkeypatch.setattr(os, "getlogin", lambda: "anna")
    assert commands.person() == "anna"

    def fails() -> str:
        raise OSError("no terminal")

    monkeypatch.setattr(os, "getlogin", fails)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert commands.person() == "root"
