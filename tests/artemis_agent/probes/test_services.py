"""The services together, and Wazuh's manager by what its daemons do."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from artemis_agent.probes import daemons, services
from artemis_agent.probes.outside import UnknownError
from artemis_agent.probes.services import Names, Services
from socme.v1.vitals_pb2 import ServiceState, Vitals

NAMES = Names()


class Machine:
    """A machine with unit files and what systemctl says of each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wazuh = root / "var/ossec"
        self.states: dict[str, str] = {}
        self.runs = 0
        self.now = 0.0
        self.folder = root / "etc/systemd/system"
        self.folder.mkdir(parents=True)

    def unit(self, name: str, active: str, sub: str) -> None:
        """Let it have a unit in this state."""
        (self.folder / name).touch()
        self.states[name] = f"LoadState=loaded\nActiveState={active}\nSubState={sub}\n"

    def daemons(self, *names: str) -> None:
        """Let these of Wazuh's daemons run."""
        (self.wazuh / daemons.FOLDER).mkdir(parents=True)
        for name in names:
            (self.wazuh / daemons.FOLDER / f"{name}-{os.getpid()}.pid").touch()

    def group(self, name: str) -> Path:
        """Return a unit's control group."""
        return self.root / "sys/fs/cgroup/system.slice" / name

    def run(self, command: Sequence[str]) -> str:
        """Be systemctl."""
        self.runs += 1
        return "\n".join(self.states[unit] for unit in command[command.index("--") + 1 :])

    def ask(self) -> Vitals:
        """Ask its services."""
        return self.probe().ask()

    def probe(self) -> Services:
        """Return a probe that knows nothing yet."""
        return Services(NAMES, self.wazuh, self.run, self.root, lambda: self.now)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_with_nothing(machine: Machine) -> None:
    """Nothing is there, and nothing is run to learn that."""
    assert machine.ask() == Vitals()


def test_what_is_there_is_told_and_what_is_not_is_absent(machine: Machine) -> None:
    machine.unit(NAMES.suricata, "active", "running")
    machine.unit(NAMES.indexer, "failed", "failed")

    found = machine.ask()

    assert found.suricata.service.state == ServiceState.SERVICE_STATE_RUNNING
    assert found.wazuh.indexer.state == ServiceState.SERVICE_STATE_FAILED
    assert not found.wazuh.HasField("manager")
    assert not found.HasField("thehive")
    assert not found.unknown


@pytest.mark.parametrize("sub", ["running", "exited"])
def test_a_manager_is_as_its_daemons_are(machine: Machine, sub: str) -> None:
    """RemainAfterExit=yes: systemd calls it active whatever became of them."""
    machine.unit(NAMES.manager, "active", sub)
    machine.daemons(*daemons.NEEDED)
    assert machine.ask().wazuh.manager.state == ServiceState.SERVICE_STATE_RUNNING

    for file in (machine.wazuh / daemons.FOLDER).iterdir():
        if "analysisd" in file.name or "-db-" in file.name:
            file.unlink()
    manager = machine.ask().wazuh.manager
    assert manager.state == ServiceState.SERVICE_STATE_DEGRADED
    assert manager.detail == "not running: wazuh-analysisd, wazuh-db"
    assert manager.seconds == 0

    for file in (machine.wazuh / daemons.FOLDER).iterdir():
        file.unlink()
    manager = machine.ask().wazuh.manager
    assert manager.state == ServiceState.SERVICE_STATE_FAILED
    assert manager.detail.endswith("and 5 more")


def test_a_manager_that_is_stopped_is_not_looked_into(machine: Machine) -> None:
    machine.unit(NAMES.manager, "inactive", "dead")
    machine.daemons()

    assert machine.ask().wazuh.manager.state == ServiceState.SERVICE_STATE_STOPPED


def test_a_manager_in_a_container_is_as_its_unit_is(machine: Machine) -> None:
    machine.unit(NAMES.manager, "active", "running")

    found = machine.ask()

    assert found.wazuh.manager.state == ServiceState.SERVICE_STATE_RUNNING
    assert not found.unknown


def test_daemons_that_may_not_be_looked_at(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: Path) -> None:
        raise UnknownError("permission denied: /var/ossec/var/run")

    machine.unit(NAMES.manager, "active", "running")
    monkeypatch.setattr(daemons, "ask", refuse)

    found = machine.ask()

    assert found.wazuh.manager.state == ServiceState.SERVICE_STATE_RUNNING
    assert found.unknown["wazuh.manager"] == "its daemons: permission denied: /var/ossec/var/run"


def test_what_is_there_is_unknown_where_systemd_does_not_answer(machine: Machine) -> None:
    def hang(_command: Sequence[str]) -> str:
        raise UnknownError("systemctl gave no answer in time")

    machine.unit(NAMES.suricata, "active", "running")

    probe = Services(NAMES, machine.wazuh, hang, machine.root)
    found = probe.ask()

    assert dict(found.unknown) == {"suricata.service": "systemctl gave no answer in time"}
    assert not found.HasField("suricata")
    probe.run = machine.run
    assert probe.ask().suricata.service.state == ServiceState.SERVICE_STATE_RUNNING, (
        "it is asked again at once"
    )


def test_systemd_is_asked_when_a_service_came_or_went_and_else_now_and_then(machine: Machine) -> None:
    """A restart is both."""
    machine.unit(NAMES.suricata, "active", "running")
    machine.group(NAMES.suricata).mkdir(parents=True)
    probe = machine.probe()

    for machine.now in range(20):
        probe.ask()
    assert machine.runs == 1
    machine.group(NAMES.suricata).rmdir()
    machine.unit(NAMES.suricata, "failed", "failed")
    assert probe.ask().suricata.service.state == ServiceState.SERVICE_STATE_FAILED
    assert machine.runs == 2
    probe.ask()
    machine.group(NAMES.suricata).mkdir()
    probe.ask()
    assert machine.runs == 3
    machine.now += services.SURE_SECONDS
    probe.ask()
    assert machine.runs == 4


def test_a_service_that_starts_is_followed_until_it_runs(machine: Machine) -> None:
    """Its control group is there from the beginning on."""
    machine.unit(NAMES.suricata, "activating", "start")
    machine.group(NAMES.suricata).mkdir(parents=True)
    probe = machine.probe()
    assert probe.ask().suricata.service.state == ServiceState.SERVICE_STATE_CHANGING

    machine.unit(NAMES.suricata, "active", "running")

    assert probe.ask().suricata.service.state == ServiceState.SERVICE_STATE_RUNNING


def test_a_daemon_that_dies_is_seen_without_systemd(machine: Machine) -> None:
    machine.unit(NAMES.manager, "active", "running")
    machine.daemons(*daemons.NEEDED)
    probe = machine.probe()
    assert probe.ask().wazuh.manager.state == ServiceState.SERVICE_STATE_RUNNING

    next((machine.wazuh / daemons.FOLDER).iterdir()).unlink()

    assert probe.ask().wazuh.manager.state == ServiceState.SERVICE_STATE_DEGRADED
    assert machine.runs == 1
