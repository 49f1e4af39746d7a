"""Which probes there are, and how often each is asked: a look that costs more is taken less often."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from artemis_agent.plan import Neighbours
from artemis_agent.probes import agents, hive, tailnet, units
from artemis_agent.probes.outside import UnknownError
from artemis_agent.probes.panel import Probe
from artemis_agent.probes.rules import RuleFiles
from artemis_agent.probes.services import Names, Services
from artemis_agent.probes.system import System
from socme import identity
from socme.errors import OperatorError
from socme.v1.vitals_pb2 import Vitals

STATUS_SECONDS = 5.0  # states, of which a change is told at once; what costs most there is asked less often
USUAL_SECONDS = 30.0  # what is as often told
RARE_SECONDS = 60.0  # what changes by hand, or once a day
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def probes(there: Neighbours) -> list[Probe]:
    """Return all probes of what runs beside the agent."""
    names = Names(
        manager=there.wazuh_manager_unit,
        indexer=there.wazuh_indexer_unit,
        dashboard=there.wazuh_dashboard_unit,
        suricata=there.suricata_unit,
        thehive=there.thehive_unit,
    )
    rules = RuleFiles(there.suricata_config)
    return [
        Probe("system", System().ask, RARE_SECONDS),
        Probe("services", Services(names, there.wazuh_dir).ask, STATUS_SECONDS),
        Probe("tailscale", tailnet.ask, STATUS_SECONDS),
        Probe("wazuh.agents", _agents(there), USUAL_SECONDS),
        Probe("suricata.rules", rules.ask, RARE_SECONDS),
        Probe("thehive.version", _hive(there), USUAL_SECONDS),
    ]


def certificate(state_dir: Path) -> Probe:
    """Return the probe of the node's certificate."""

    def ask() -> Vitals:
        vitals = Vitals()
        if not identity.folder(state_dir).exists():
            return vitals
        try:  # one that has ended is told as such, and no error here
            own = identity.load(state_dir, now=LONG_AGO, command="artemis enroll TOKEN")
        except OperatorError as error:
            raise UnknownError(str(error.args[0])) from error
        vitals.certificate_expires.FromDatetime(own.expires)
        return vitals

    return Probe("certificate_expires", ask, RARE_SECONDS)


def _agents(there: Neighbours) -> Callable[[], Vitals]:
    api = there.wazuh_api
    if api is None:
        return lambda: _own_agents(there.wazuh_manager_unit, there.wazuh_dir)
    from artemis_agent.probes.wazuh_api import WazuhApi  # noqa: PLC0415 - HTTPS takes 5 MiB

    return WazuhApi(api.url, api.user, api.password_file, api.certificate).ask


def _own_agents(manager: str, folder: Path, root: Path = Path("/")) -> Vitals:
    """Ask this machine's manager. A Wazuh agent has the same folder, closed to others, and no manager."""
    try:
        return agents.ask(folder)
    except UnknownError:
        if units.there([manager], root):
            raise
        return Vitals()


def _hive(there: Neighbours) -> Callable[[], Vitals]:
    url = there.thehive_url
    if url is None:
        return lambda: hive.ask_own(there.thehive_unit)
    return lambda: hive.ask(url)
