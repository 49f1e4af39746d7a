"""What is typed, and what is told of it where it is wrong."""

from pathlib import Path

import pytest

from tests.flow.programs import run


def write(folder: Path, text: str) -> Path:
    config = folder / "hermes.toml"
    config.write_text(text)
    return config


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--version"], 0, "hermes 0."),
        (["--help"], 0, "enroll"),
        ([], 2, "Usage: hermes"),
        (["frobnicate"], 2, "No such command"),
        (["enroll"], 2, "Missing argument 'TOKEN'"),
        (["run", "--port", "1"], 2, "No such option"),
        (["tail", "--min-severity", "huge"], 2, "it is one of low, medium, high, critical"),
        (["run", "--config", "/nowhere/hermes.toml"], 1, "there is no settings file /nowhere/hermes.toml"),
        (["enroll", "nonsense", "--config", "CONFIG"], 1, "this is not an enrolment token"),
        (["run", "--config", "CONFIG"], 1, "not enrolled"),
        (["tail", "--config", "CONFIG"], 1, "not enrolled"),
        (["check", "--config", "CONFIG"], 1, "hermes enroll TOKEN"),
    ],
)
def test_wrong_use_is_told_without_a_traceback(
    arguments: list[str], code: int, told: str, tmp_path: Path
) -> None:
    config = str(write(tmp_path, 'state_dir = "state"\n'))
    done = run("hermes", *[config if argument == "CONFIG" else argument for argument in arguments])
    assert done.returncode == code
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("listen = 8080", "listen: Input should be a valid string (it is 8080)"),
        ('lisen = "127.0.0.1:1"', "lisen: there is no such key"),
        ('[watch]\nmin_severity = "huge"', "watch.min_severity"),
        ("listen = ", "is not TOML"),
    ],
)
def test_bad_settings_are_told(text: str, told: str, tmp_path: Path) -> None:
    done = run("hermes", "run", "--config", str(write(tmp_path, text)))
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
