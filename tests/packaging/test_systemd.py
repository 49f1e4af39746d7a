"""The units that run the programs on a server: valid, tight, and in step with the programs' own settings."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from artemis_agent.config import ArtemisSettings
from hermes_display.config import HermesSettings
from socme.commands import config_path
from socme.settings import Settings
from tests.conftest import REPOSITORY
from tests.packaging.units import PROGRAMS, complaints, exposure_is_at_most, parse, shipped, words
from zeus_hub.config import ZeusSettings

EXPOSURE = {"artemis": 1.0, "zeus": 1.0, "hermes": 1.2}
SYSUSERS = REPOSITORY / "systemd" / "socme.sysusers.conf"
SETTINGS: dict[str, type[Settings]] = {
    "artemis": ArtemisSettings,
    "zeus": ZeusSettings,
    "hermes": HermesSettings,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_exposure_stays_under_the_limit(program: str) -> None:
    assert exposure_is_at_most(EXPOSURE[program], shipped(program))


def test_a_looser_unit_would_be_over_the_limit(tmp_path: Path) -> None:
    """The measure measures: one directive less is one too many."""
    loose = tmp_path / "zeus.service"
    loose.write_text(shipped("zeus").read_text().replace("NoNewPrivileges=yes\n", ""))

    assert not exposure_is_at_most(EXPOSURE["zeus"], loose)


@pytest.mark.parametrize("program", PROGRAMS)
def test_systemd_has_nothing_to_complain_about(program: str, tmp_path: Path) -> None:
    assert complaints(shipped(program).read_text(), tmp_path, program) == ""


def test_a_misspelt_directive_would_be_noticed(tmp_path: Path) -> None:
    text = shipped("zeus").read_text().replace("ProtectHome=", "ProtectHom=")

    assert "ProtectHom" in complaints(text, tmp_path, "zeus")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_unit_starts_its_program_with_the_default_settings_file(program: str) -> None:
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]

    started, _command, option, config = parse(shipped(program).read_text())["Service.ExecStart"][0].split()

    assert Path(started).name in scripts
    assert (option, config) == ("--config", str(config_path(program)))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_state_directory_is_the_one_in_the_settings(program: str) -> None:
    """The sandbox lets a program write nowhere else."""
    settings = SETTINGS[program]
    unit = parse(shipped(program).read_text())

    assert unit["Service.StateDirectory"] == [program]
    assert settings.model_fields["state_dir"].default == Path("/var/lib") / program
    assert unit["Service.StateDirectoryMode"] == ["0700"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_user_and_group_is_made_by_sysusers(program: str) -> None:
    """A unit with a group that does not exist does not start."""
    made = {tuple(line.split()[:2]) for line in SYSUSERS.read_text().splitlines() if not line.startswith("#")}
    unit = parse(shipped(program).read_text())

    for user in words(unit, "Service.User"):
        assert ("u", user) in made
    for group in words(unit, "Service.SupplementaryGroups"):
        assert ("g", group) in made


def test_sysusers_understands_the_file(tmp_path: Path) -> None:
    program = shutil.which("systemd-sysusers")
    if program is None:
        pytest.skip("systemd-sysusers is not on this machine")
    (tmp_path / "etc").mkdir()

    done = subprocess.run(
        [program, f"--root={tmp_path}", str(SYSUSERS)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    users = (tmp_path / "etc" / "passwd").read_text()
    assert [name for name in PROGRAMS if f"{name}:" not in users] == []


def test_the_three_sandboxes_differ_only_where_a_program_needs_it() -> None:
    """The agent sees vitals (/proc, addresses) and two groups' logs; nothing else differs."""
    shared = ("User", "Group", "ExecStart", "StateDirectory", "CPUWeight", "IOWeight", "Nice")
    limits = ("MemoryHigh", "MemoryMax", "TasksMax")

    def sandbox(program: str) -> dict[str, list[str]]:
        unit = parse(shipped(program).read_text())
        named = {f"Service.{key}" for key in shared + limits}
        return {key: value for key, value in unit.items() if key.startswith("Service.") and key not in named}

    assert sandbox("zeus") == sandbox("hermes")
    zeus, artemis = sandbox("zeus"), sandbox("artemis")
    assert {key for key in zeus | artemis if zeus.get(key) != artemis.get(key)} == {
        "Service.SupplementaryGroups",
        "Service.ProcSubset",
        "Service.RestrictAddressFamilies",
    }
