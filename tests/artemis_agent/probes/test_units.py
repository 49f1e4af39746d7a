"""What `systemctl show` says: taken from systemd 252.39 (Debian 12) in a container."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import units
from artemis_agent.probes.outside import UnknownError
from socme.v1.vitals_pb2 import ServiceState

UNITS = [
    "wazuh-manager.service",
    "wazuh-indexer.service",
    "wazuh-dashboard.service",
    "thehive.service",
    "one.service",
    "slow.service",
    "suricata.service",
]
SHOWN = """NRestarts=0
LoadState=loaded
ActiveState=active
SubState=running
StateChangeTimestampMonotonic=27376078069

NRestarts=2
LoadState=loaded
ActiveState=failed
SubState=failed
StateChangeTimestampMonotonic=27376130403

NRestarts=0
LoadState=not-found
ActiveState=inactive
SubState=dead
StateChangeTimestampMonotonic=0

NRestarts=0
LoadState=masked
ActiveState=inactive
SubState=dead
StateChangeTimestampMonotonic=0

NRestarts=0
LoadState=loaded
ActiveState=active
SubState=exited
StateChangeTimestampMonotonic=27376381756

NRestarts=0
LoadState=loaded
ActiveState=activating
SubState=start
StateChangeTimestampMonotonic=27376387857

NRestarts=0
LoadState=loaded
ActiveState=inactive
SubState=dead
StateChangeTimestampMonotonic=27375988676
"""
NOW = 27_466_078_069  # 90 s after the manager started


def test_a_real_answer() -> None:
    found = units.parse(SHOWN, UNITS, NOW)

    assert {unit: (service.state, service.detail) for unit, service in found.items()} == {
        "wazuh-manager.service": (ServiceState.SERVICE_STATE_RUNNING, "active (running)"),
        "wazuh-indexer.service": (ServiceState.SERVICE_STATE_FAILED, "failed (failed)"),
        "one.service": (
            ServiceState.SERVICE_STATE_UNSPECIFIED,
            "active (exited): systemd watches no process of it",
        ),
        "slow.service": (ServiceState.SERVICE_STATE_CHANGING, "activating (start)"),
        "suricata.service": (ServiceState.SERVICE_STATE_STOPPED, "inactive (dead)"),
    }
    manager = found["wazuh-manager.service"]
    assert (manager.unit, manager.seconds, manager.restarts) == ("wazuh-manager.service", 90, 0)
    assert found["wazuh-indexer.service"].restarts == 2


def test_a_unit_file_with_an_error_is_no_running_service() -> None:
    told = "LoadState=bad-setting\nActiveState=inactive\nSubState=dead\n"

    service = units.parse(told, ["x.service"], 0)["x.service"]

    assert service.state == ServiceState.SERVICE_STATE_STOPPED
    assert service.detail == "bad-setting, inactive (dead)"


@pytest.mark.parametrize("told", ["", "\n\n\n", "nonsense", SHOWN + "\n" + SHOWN, "ActiveState=active\n"])
def test_an_answer_to_something_else(told: str) -> None:
    with pytest.raises(UnknownError):
        units.parse(told, ["x.service"], NOW)


def test_a_state_of_a_newer_systemd_is_unspecified() -> None:
    told = "LoadState=loaded\nActiveState=dreaming\x1b[2J\nSubState=\nNRestarts=many\n"

    service = units.parse(told, ["x.service"], NOW)["x.service"]

    assert service.state == ServiceState.SERVICE_STATE_UNSPECIFIED
    assert "\x1b" not in service.detail


@given(st.text())
def test_garbage_is_unknown_or_harmless(told: str) -> None:
    try:
        found = units.parse(told, ["x.service"], NOW)
    except UnknownError:
        return
    assert set(found) <= {"x.service"}


@given(st.dictionaries(st.sampled_from(units._PROPERTIES.split(",")), st.text()))
def test_any_values_are_unknown_or_fit_the_message(values: dict[str, str]) -> None:
    try:
        found = units.parse("\n".join(f"{key}={value}" for key, value in values.items()), ["x.service"], NOW)
    except UnknownError:
        return
    for service in found.values():
        assert service.SerializeToString()


def test_only_units_that_are_here_are_asked_for(tmp_path: Path) -> None:
    for folder, name in (("etc/systemd/system", "a.service"), ("run/systemd/generator", "b.service")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).touch()

    assert units.there(["a.service", "b.service", "c.service"], tmp_path) == ["a.service", "b.service"]


def test_one_program_answers_for_all() -> None:
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> str:
        asked.append(command)
        return SHOWN

    assert len(units.ask(UNITS, run)) == 5
    assert len(asked) == 1
    assert units.ask([], run) == {}
    assert len(asked) == 1, "where there is no unit nothing is run"


def test_without_systemd_there_is_no_unit() -> None:
    assert units.ask(UNITS, lambda _: None) == {}
