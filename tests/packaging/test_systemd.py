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
from tests.packaging.units import PROGRAMS, analyze, complaints, exposure_is_at_most, parse, shipped, words
from zeus_hub.config import ZeusSettings

EXPOSURE = {"artemis": 1.0, "zeus": 1.0, "hermes": 1.0, "hermes-kiosk": 3.0, "hermes-kiosk-reload": 1.3}
SYSUSERS = REPOSITORY / "systemd" / "socme.sysusers.conf"
SETTINGS: dict[str, type[Settings]] = {
    "artemis": ArtemisSettings,
    "zeus": ZeusSettings,
    "hermes": HermesSettings,
}


@pytest.mark.parametrize("program", EXPOSURE)
def test_exposure_stays_under_the_limit(program: str) -> None:
    assert exposure_is_at_most(EXPOSURE[program], shipped(program))


def test_a_looser_unit_would_be_over_the_limit(tmp_path: Path) -> None:
    """The measure measures: one directive less is one too many."""
    loose = tmp_path / "zeus.service"
    loose.write_text(shipped("zeus").read_text().replace("NoNewPrivileges=yes\n", ""))

    assert not exposure_is_at_most(EXPOSURE["zeus"], loose)


@pytest.mark.parametrize("program", EXPOSURE)
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


@pytest.mark.parametrize("program", EXPOSURE)
def test_every_user_and_group_is_made_by_sysusers(program: str) -> None:
    """A unit with a group that does not exist does not start."""
    made = {tuple(line.split()[:2]) for line in SYSUSERS.read_text().splitlines() if not line.startswith("#")}
    unit = parse(shipped(program).read_text())

    for user in words(unit, "Service.User"):
        assert ("u", user) in made
    for group in words(unit, "Service.SupplementaryGroups"):
        assert ("g", group) in made


def test_the_kiosk_shows_the_wall_where_the_settings_put_it_and_writes_to_memory_alone() -> None:
    unit = parse(shipped("hermes-kiosk").read_text())
    (command,), environment = unit["Service.ExecStart"], words(unit, "Service.Environment")
    page = f"http://{HermesSettings.model_fields['listen'].default}/"

    assert command.split()[-1] == page
    assert f"{page}healthz" in shipped("hermes-kiosk-reload").read_text()
    assert "--user-data-dir=/run/hermes-kiosk/chromium" in command.split()
    assert {"HOME=/run/hermes-kiosk", "XDG_RUNTIME_DIR=/run/hermes-kiosk"} <= set(environment)
    assert unit["Service.RuntimeDirectory"] == ["hermes-kiosk"]
    assert not any(key.endswith(("StateDirectory", "CacheDirectory", "ReadWritePaths")) for key in unit)


def test_what_limits_the_kiosk_is_not_left_by_a_session_of_its_own() -> None:
    """Processes of a PAM session leave the unit's control group."""
    unit = parse(shipped("hermes-kiosk").read_text())

    assert "Service.PAMName" not in unit
    assert {"Service.MemoryMax", "Service.TasksMax", "Service.IPAddressDeny"} <= unit.keys()
    assert unit["Service.Restart"] == ["always"]


def test_the_browser_is_started_anew_once_a_night() -> None:
    when = parse((REPOSITORY / "systemd" / "hermes-kiosk-reload.timer").read_text())["Timer.OnCalendar"]

    done = analyze("calendar", "--iterations=2", "--base-time=2026-11-28 12:00:00", *when)

    assert done.returncode == 0, done.stderr
    assert "2026-11-29 04:00:00" in done.stdout
    assert "2026-11-30 04:00:00" in done.stdout


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
