"""The services of a node in one look: Wazuh's three, Suricata and TheHive."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from artemis_agent.probes import daemons, outside, units
from artemis_agent.probes.outside import Run, UnknownError
from socme.v1.vitals_pb2 import Service, ServiceState, Vitals

_MOST_NAMED = 4  # daemons that are named; all of them fail together, mostly


@dataclass(frozen=True, slots=True)
class Names:
    """What the units are called here."""

    manager: str = "wazuh-manager.service"
    indexer: str = "wazuh-indexer.service"
    dashboard: str = "wazuh-dashboard.service"
    suricata: str = "suricata.service"
    thehive: str = "thehive.service"

    def by_field(self) -> dict[str, str]:
        """Return each unit by the field of Vitals that it fills."""
        return {
            "wazuh.manager": self.manager,
            "wazuh.indexer": self.indexer,
            "wazuh.dashboard": self.dashboard,
            "suricata.service": self.suricata,
            "thehive.service": self.thehive,
        }


def ask(names: Names, wazuh: Path, run: Run = outside.run, root: Path = Path("/")) -> Vitals:
    """Return how the services are; `wazuh` is the manager's folder."""
    vitals, fields = Vitals(), names.by_field()
    known = units.there(list(fields.values()), root)
    try:
        found = units.ask(known, run)
    except UnknownError as error:
        for field, unit in fields.items():
            if unit in known:
                vitals.unknown[field] = str(error)
        return vitals
    for field, unit in fields.items():
        if unit in found:
            _place(vitals, field).CopyFrom(found[unit])
    manager = vitals.wazuh.manager if vitals.HasField("wazuh") and vitals.wazuh.HasField("manager") else None
    if manager is not None and manager.state in {units.RUNNING, ServiceState.SERVICE_STATE_UNSPECIFIED}:
        _look_inside(vitals, manager, wazuh)
    return vitals


def _look_inside(vitals: Vitals, manager: Service, wazuh: Path) -> None:
    """Judge the manager by its daemons, where they may be looked at."""
    try:
        missing = daemons.ask(wazuh)
    except UnknownError as error:
        vitals.unknown["wazuh.manager"] = f"its daemons: {error}"
        return
    if missing is None:
        return
    manager.state = units.RUNNING
    if missing:
        all_gone = set(missing) >= set(daemons.NEEDED)
        manager.state = ServiceState.SERVICE_STATE_FAILED if all_gone else ServiceState.SERVICE_STATE_DEGRADED
        manager.detail = f"not running: {_named(missing)}"


def _named(missing: Sequence[str]) -> str:
    more = len(missing) - _MOST_NAMED
    return ", ".join(missing[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _place(vitals: Vitals, field: str) -> Service:
    whole, _, part = field.partition(".")
    service = getattr(getattr(vitals, whole), part)
    assert isinstance(service, Service)  # noqa: S101 - `by_field` names fields that are services
    return service
