"""The services of a node in one look: Wazuh's three, Suricata and TheHive."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artemis_agent.probes import daemons, outside, units
from artemis_agent.probes.outside import Run, UnknownError
from socme.v1.vitals_pb2 import Service, ServiceState, Vitals

SURE_SECONDS = 30.0  # between two questions to systemd while nothing came or went
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


@dataclass(slots=True)
class Services:
    """The services of a machine. systemctl is run when one came or went, and else only now and then."""

    names: Names
    wazuh: Path
    """The manager's folder."""
    run: Run = outside.run
    root: Path = Path("/")
    clock: Callable[[], float] = time.monotonic
    _found: Mapping[str, Service] = field(default_factory=dict)
    _groups: tuple[int, ...] | None = None
    _again: float = 0.0

    def ask(self) -> Vitals:
        """Return how they are."""
        vitals, fields = Vitals(), self.names.by_field()
        known = units.there(list(fields.values()), self.root)
        try:
            self._look(known)
        except UnknownError as error:
            self._groups = None
            for name, unit in fields.items():
                if unit in known:
                    vitals.unknown[name] = str(error)
            return vitals
        for name, unit in fields.items():
            if unit in self._found:
                _place(vitals, name).CopyFrom(self._found[unit])
        if vitals.HasField("wazuh") and vitals.wazuh.HasField("manager"):
            _look_inside(vitals, vitals.wazuh.manager, self.wazuh)
        return vitals

    def _look(self, known: Sequence[str]) -> None:
        """Ask systemd, where there may be something new: a start and an end show in the control groups."""
        groups, now = units.groups(known, self.root), self.clock()
        if groups != self._groups or now >= self._again:
            self._found = units.ask(known, self.run)
            changing = any(each.state == units.CHANGING for each in self._found.values())
            self._groups, self._again = groups, now if changing else now + SURE_SECONDS


def _look_inside(vitals: Vitals, manager: Service, wazuh: Path) -> None:
    """Judge a manager that should run by its daemons, where they may be looked at."""
    if manager.state not in {units.RUNNING, ServiceState.SERVICE_STATE_UNSPECIFIED}:
        return
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
        manager.seconds = 0  # systemd knows since when it is active, and not since when this is so
        manager.detail = f"not running: {_named(missing)}"


def _named(missing: Sequence[str]) -> str:
    more = len(missing) - _MOST_NAMED
    return ", ".join(missing[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _place(vitals: Vitals, field: str) -> Service:
    whole, _, part = field.partition(".")
    service = getattr(getattr(vitals, whole), part)
    assert isinstance(service, Service)  # noqa: S101 - `by_field` names fields that are services
    return service
