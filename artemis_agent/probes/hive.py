"""TheHive's version, from the status that it tells everybody."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from artemis_agent.probes import outside, units
from artemis_agent.probes.outside import Run, UnknownError
from artemis_agent.values import mapping, text
from socme.text import clean
from socme.v1.vitals_pb2 import ServiceState, Vitals

USUAL = "http://127.0.0.1:9000"
_STATUS = "/api/v1/status/public"
_LONGEST_VERSION = 40  # characters
_WELL = 200


def parse(body: bytes) -> str:
    """Return the version that TheHive 5 tells."""
    try:
        told = mapping(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise UnknownError("TheHive answers something else than JSON") from error
    version = clean(text(told.get("version")), _LONGEST_VERSION)
    if not version:
        raise UnknownError("TheHive tells no version")
    return version


def ask(url: str) -> Vitals:
    """Return TheHive's version. What answers lives."""
    from artemis_agent.probes import web  # noqa: PLC0415 - it takes 5 MiB

    answer = web.fetch(web.connection(url), urlsplit(url).path.rstrip("/") + _STATUS)
    if answer.status != _WELL:
        raise UnknownError(f"TheHive answers {answer.status}")
    vitals = Vitals()
    vitals.thehive.version = parse(answer.body)
    vitals.thehive.service.state = ServiceState.SERVICE_STATE_RUNNING
    return vitals


def ask_own(unit: str, url: str = USUAL, run: Run = outside.run, root: Path = Path("/")) -> Vitals:
    """Return the version of the TheHive that runs as a unit of this machine; nothing where none does."""
    service = units.ask(units.there([unit], root), run).get(unit)
    if service is None or service.state != units.RUNNING:
        return Vitals()
    vitals = ask(url)
    vitals.thehive.ClearField("service")  # systemd tells that
    return vitals
