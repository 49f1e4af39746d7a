"""The flake and the NixOS modules, evaluated with nix/shim in nixpkgs' place, without a network.

What only real nixpkgs can show is listed in docs/nix.md.
"""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

import artemis_agent.config
import hermes_display.config
import zeus_hub.config
from socme import VERSION
from socme.settings import Settings
from tests.conftest import REPOSITORY
from tests.lacking import lacking
from tests.packaging.units import PROGRAMS, complaints, exposure_is_at_most, parse, shipped, words

NIX = REPOSITORY / "nix"
SOURCE = '{ kind = "suricata"; path = "/var/log/suricata/eve.json"; }'
MACHINE = f"""{{
  services.artemis.enable = true;
  services.artemis.extraGroups = [ "wazuh" "suricata" ];
  services.artemis.settings.source = [ {SOURCE} ];
  services.zeus.enable = true;
  services.hermes.enable = true;
  services.hermes.kiosk.enable = true;
}}"""
UNITS = (*PROGRAMS, "hermes-kiosk", "hermes-kiosk-reload")
EXPOSURE = {"hermes": 1.2, "hermes-kiosk": 3.0, "hermes-kiosk-reload": 1.3}
SETTINGS: dict[str, type[Settings]] = {
    "artemis": artemis_agent.config.ArtemisSettings,
    "zeus": zeus_hub.config.ZeusSettings,
    "hermes": hermes_display.config.HermesSettings,
}


def run(*command: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of Nix with a store of its own, without a network."""
    program = shutil.which(command[0])
    if program is None:
        lacking(f"{command[0]} is not on this machine (Debian: apt install nix-bin)")
    wanted = (
        "experimental-features = nix-command flakes\nbuild-users-group =\nsandbox = false\nsubstituters ="
    )
    folders = {name: str(state / name.lower()) for name in ("NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_LOG_DIR")}
    environment = (
        os.environ | folders | {"NIX_CONFIG": wanted, "HOME": str(state), "XDG_CACHE_HOME": str(state)}
    )
    return subprocess.run(
        [program, *command[1:]], env=environment, capture_output=True, text=True, check=False, cwd=state
    )


def evaluate(machine: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Evaluate a machine's configuration (a Nix expression) with nix/tests/eval.nix."""
    eval_file = str(NIX / "tests" / "eval.nix")
    options = ("--eval", "--strict", "--json", "--store", "dummy://")
    return run("nix-instantiate", *options, eval_file, "--arg", "machine", machine, state=state)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nix")


@pytest.fixture(scope="module")
def machine(state: Path) -> dict[str, Any]:
    """Evaluate a machine with all three programs."""
    done = evaluate(MACHINE, state)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize(
    "path", sorted([*NIX.rglob("*.nix"), REPOSITORY / "flake.nix"]), ids=lambda path: path.name
)
def test_every_nix_file_parses(path: Path, state: Path) -> None:
    done = run("nix-instantiate", "--parse", str(path), state=state)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", UNITS)
def test_a_rendered_unit_is_as_tight_as_the_shipped_one(
    program: str, machine: dict[str, Any], tmp_path: Path
) -> None:
    unit = tmp_path / f"{program}.service"
    unit.write_text(machine["units"][program])

    assert exposure_is_at_most(EXPOSURE.get(program, 1.0), unit)
    assert complaints(machine["units"][program], tmp_path, program) == ""


@pytest.mark.parametrize("program", UNITS)
def test_a_rendered_unit_has_drifted_in_nothing_from_the_shipped_one(
    program: str, machine: dict[str, Any]
) -> None:
    """Sandbox, restarts, limits and users are the same; only where the program lies is not."""
    here, there = parse(shipped(program).read_text()), parse(machine["units"][program])
    # NixOS brings compiled modules, in a store that nobody writes to; and seatd has a group of its own there.
    apart = {"PYTHONDONTWRITEBYTECODE=1", "seat"}

    def plain(word: str) -> str:
        return {"yes": "true", "no": "false"}.get(word, re.sub(r"^/.*/bin/", "", word))

    def service(unit: dict[str, list[str]]) -> dict[str, list[str]]:
        keys = {key for key in unit if key.startswith("Service.")}
        found = {key: sorted(map(plain, set(words(unit, key)) - apart)) for key in keys}
        return {key: value for key, value in found.items() if value or key != "Service.Environment"}

    assert service(here) == service(there)
    assert here.get("Unit.StartLimitIntervalSec") == there.get("Unit.StartLimitIntervalSec")


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_rendered_settings_are_accepted_by_the_program(
    program: str, machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(f"{program.upper()}_")]:
        monkeypatch.delenv(name)
    values = machine["settings"][f"socme/{program}.toml"]

    loaded = SETTINGS[program](**values).model_dump(mode="json")

    assert _within(values, loaded)


def _within(part: Any, whole: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether everything in `part` stands in `whole` with the same value."""
    if isinstance(part, dict):
        return all(_within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


@pytest.mark.parametrize("program", ["zeus", "hermes"])
def test_defaults_of_the_module_are_those_of_the_program(program: str, machine: dict[str, Any]) -> None:
    defaults = SETTINGS[program]().model_dump(mode="json")

    assert _within(machine["settings"][f"socme/{program}.toml"], defaults)


def test_a_machine_gets_users_groups_and_no_open_port(machine: dict[str, Any]) -> None:
    assert machine["users"] == sorted((*PROGRAMS, "hermes-kiosk"))
    assert machine["groups"] == sorted([*PROGRAMS, "hermes-kiosk", "wazuh", "suricata"])
    assert machine["ports"] == []


@pytest.mark.parametrize(
    ("settings", "ports"),
    [
        ("", [8443, 8444]),
        ('settings.listen = "[::]:9000";', [9000, 9001]),
        ('settings.listen = "10.0.0.1:443"; settings.enroll_listen = "10.0.0.1:9443";', [443, 9443]),
    ],
)
def test_the_hub_opens_the_ports_that_it_listens_on_when_asked(
    settings: str, ports: list[int], state: Path
) -> None:
    done = evaluate(f"{{ services.zeus = {{ enable = true; openFirewall = true; {settings} }}; }}", state)

    assert json.loads(done.stdout)["ports"] == ports, done.stderr


def test_keys_that_the_module_does_not_know_reach_the_settings_file(state: Path) -> None:
    done = evaluate("{ services.zeus = { enable = true; settings.journal.keep_bytes = 2000000; }; }", state)

    assert json.loads(done.stdout)["settings"]["socme/zeus.toml"]["journal"] == {"keep_bytes": 2000000}


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("", {"rollup": {"burst": 20, "window_seconds": 60}}),
        ("rollup.burst = 5;", {"rollup": {"burst": 5, "window_seconds": 60}}),
        ("rollup = null;", {}),
        ('hub_address = [ "a:1" "b:2" ]; rollup = null;', {"hub_address": ["a:1", "b:2"]}),
    ],
)
def test_floods_are_rolled_up_unless_it_is_switched_off(
    given: str, written: dict[str, Any], state: Path
) -> None:
    settings = f"settings = {{ source = [ {SOURCE} ]; {given} }};"
    done = evaluate(f"{{ services.artemis = {{ enable = true; {settings} }}; }}", state)

    file = json.loads(done.stdout)["settings"]["socme/artemis.toml"]
    assert {key: file[key] for key in ("rollup", "hub_address") if key in file} == written


def test_suricatas_own_group_is_taken_over_from_its_module(state: Path) -> None:
    done = evaluate(
        f"""{{
          services.suricata = {{ enable = true; settings.run-as.group = "ids"; }};
          services.artemis = {{ enable = true; settings.source = [ {SOURCE} ]; }};
        }}""",
        state,
    )

    assert parse(json.loads(done.stdout)["units"]["artemis"])["Service.SupplementaryGroups"] == ["ids"]


def test_a_machine_may_loosen_the_sandbox_without_force(state: Path) -> None:
    done = evaluate(
        '{ services.zeus.enable = true; systemd.services.zeus.serviceConfig.IPAddressAllow = "any"; }', state
    )

    assert parse(json.loads(done.stdout)["units"]["zeus"])["Service.IPAddressAllow"] == ["any"]


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "127.0.0.1:9000"])
def test_a_kiosk_shows_the_page_where_the_wall_is_served(listen: str, state: Path) -> None:
    done = evaluate(
        f'{{ services.hermes = {{ enable = true; kiosk.enable = true; settings.listen = "{listen}"; }}; }}',
        state,
    )

    units = json.loads(done.stdout)["units"]
    assert words(parse(units["hermes-kiosk"]), "Service.ExecStart")[-1] == f"http://{listen}/"
    asked = words(parse(units["hermes-kiosk-reload"]), "Service.ExecCondition")
    assert asked[-1] == f"http://{listen}/healthz"


def test_a_wall_without_a_kiosk_has_no_browser(state: Path) -> None:
    done = evaluate("{ services.hermes.enable = true; }", state)

    assert list(json.loads(done.stdout)["units"]) == ["hermes"]


def test_a_program_that_is_not_enabled_leaves_nothing(state: Path) -> None:
    result = json.loads(evaluate("{ }", state).stdout)

    assert (result["units"], result["settings"], result["users"]) == ({}, {}, [])


ARTEMIS = "services.artemis.enable = true; "


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (ARTEMIS, "services.artemis.settings.source: name at least one file to follow"),
        (
            ARTEMIS + 'services.artemis.settings.source = [ { kind = "syslog"; path = "/x"; } ];',
            'is not of type `one of ["suricata","wazuh"]',
        ),
        (
            ARTEMIS + 'services.artemis.settings.source = [ { kind = "wazuh"; path = "relative"; } ];',
            "is not of type `absolute path'",
        ),
        (
            ARTEMIS + 'services.artemis.settings.source = [ { kind = "wazuh"; } ];',
            "path' was accessed but has no value defined",
        ),
        (
            ARTEMIS + f'services.artemis.settings.source = [ ({SOURCE} // {{ starts = "end"; }}) ];',
            "starts' does not exist",
        ),
        (
            ARTEMIS
            + f'services.artemis.settings = {{ source = [ {SOURCE} ]; hub_address = "zeus.example"; }};',
            "services.artemis.settings.hub_address' is not of type",
        ),
        (
            ARTEMIS
            + f'services.artemis.settings = {{ source = [ {SOURCE} ]; filter.min_severity = "worst"; }};',
            "services.artemis.settings.filter.min_severity' is not of type",
        ),
        (
            ARTEMIS + f'services.artemis.settings = {{ source = [ {SOURCE} ]; state_dir = "/srv"; }};',
            "services.artemis.settings.state_dir must stay /var/lib/artemis",
        ),
        ("services.artemis.enabled = true;", "The option `services.artemis.enabled' does not exist"),
        (
            'services.zeus = { enable = true; settings.listen = "8443"; };',
            "services.zeus.settings.listen' is not",
        ),
        ("services.zeus = { enable = true; openFirewall = 1; };", "openFirewall' is not of type `boolean'"),
        (
            'services.zeus = { enable = true; settings.enroll_listen = "0.0.0.0:8443"; };',
            "listen and enroll_listen need a port each, and both have 8443",
        ),
        (
            'services.hermes = { enable = true; settings.watch.clients = "acme"; };',
            "services.hermes.settings.watch.clients' is not of type `list of string'",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_name(machine: str, message: str, state: Path) -> None:
    done = evaluate(f"{{ {machine} }}", state)

    assert done.returncode != 0
    assert message in done.stderr


def test_package_and_project_name_the_same_dependencies() -> None:
    """Nix knows no extras: its package has what all three programs need, but no fonts as Python packages.

    Nor has it what few need and is large: pyarrow, for exports in Parquet.
    """
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    asked = [
        *project["dependencies"],
        *(
            each
            for name, extra in project["optional-dependencies"].items()
            if name != "parquet"
            for each in extra
        ),
    ]
    names = {match.group() for each in asked if (match := re.match(r"(?!fontpkg-)[A-Za-z0-9_-]+", each))}
    package = (NIX / "package.nix").read_text()
    listed = re.search(r"\bdependencies = with python3.pkgs; \[([^\]]*)\]", package)

    assert listed is not None
    assert sorted(names) == listed.group(1).split()
    assert f'version = "{VERSION}";' in package


def test_the_flake_evaluates_with_the_stand_in(state: Path, tmp_path: Path) -> None:
    """The package asks nixpkgs for nothing that the stand-in does not know."""
    for name in ("flake.nix", "nix"):
        source, target = REPOSITORY / name, tmp_path / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    flake = f"path:{tmp_path}"
    stand_in = ("--no-write-lock-file", "--override-input", "nixpkgs", f"path:{tmp_path}/nix/shim")

    checked = run("nix", "flake", "check", flake, *stand_in, state=state)
    built = run("nix", "build", f"{flake}#socme", "--no-link", *stand_in, state=state)

    assert checked.returncode == 0, checked.stderr
    assert built.returncode == 0, built.stderr
