"""What of the vitals matters at once, and what does not."""

from collections.abc import Callable

import pytest

from artemis_agent.probes.standing import standing
from socme.v1.vitals_pb2 import ServiceState, SourceVitals, Vitals


def vitals() -> Vitals:
    made = Vitals(hostname="node", cpu_usage=0.5, uptime_seconds=100, sources=[SourceVitals(name="eve")])
    made.wazuh.manager.state = ServiceState.SERVICE_STATE_RUNNING
    made.wazuh.manager.seconds = 50
    made.wazuh.agents.active = 5
    made.suricata.service.state = ServiceState.SERVICE_STATE_RUNNING
    made.suricata.rules = 100
    made.tailscale.state = "Running"
    made.system.reboot_pending = False
    made.unknown["memory"] = "2 s"
    return made


def set_state(found: Vitals) -> None:
    found.wazuh.manager.state = ServiceState.SERVICE_STATE_FAILED


def set_restarts(found: Vitals) -> None:
    found.suricata.service.restarts = 1


def set_tailnet(found: Vitals) -> None:
    found.tailscale.state = "NeedsLogin"


def set_reboot(found: Vitals) -> None:
    found.system.reboot_pending = True


def set_problem(found: Vitals) -> None:
    found.sources[0].problem = "permission denied"


def set_spool(found: Vitals) -> None:
    found.spool.problem = "the disk is full"


def set_unknown(found: Vitals) -> None:
    found.unknown["wazuh.agents"] = "no answer"


def set_rules(found: Vitals) -> None:
    found.suricata.rules_written.FromSeconds(1000)


@pytest.mark.parametrize(
    "change",
    [set_state, set_restarts, set_tailnet, set_reboot, set_problem, set_spool, set_unknown, set_rules],
)
def test_a_change_that_matters(change: Callable[[Vitals], None]) -> None:
    changed = vitals()
    change(changed)

    assert standing(changed) != standing(vitals())


def test_numbers_are_no_news() -> None:
    changed = vitals()
    changed.cpu_usage, changed.uptime_seconds = 0.9, 200
    changed.wazuh.manager.seconds = 60
    changed.wazuh.agents.active = 4
    changed.sources[0].bytes = 10_000
    changed.unknown["memory"] = "3 s"
    changed.spool.alerts = 5

    assert standing(changed) == standing(vitals())
