"""The machine's place in a tailnet, from tailscaled's local API, which tells its status to every user."""

import json
from collections.abc import Mapping
from pathlib import Path

from artemis_agent.probes import outside
from artemis_agent.probes.outside import UnknownError
from artemis_agent.values import mapping, moment, text
from socme.text import clean
from socme.v1.vitals_pb2 import Vitals

SOCKET = Path("/run/tailscale/tailscaled.sock")
HOST = "local-tailscaled.sock"  # it refuses any other
_PATH = "/localapi/v0/status?peers=false"
_MOST = 8  # addresses, and warnings
_LONGEST_WORD = 60  # characters
_LONGEST_NAME = 255
_WELL = 200


def parse(body: bytes) -> Vitals:
    """Return what a status says of this machine."""
    try:
        told = mapping(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise UnknownError("tailscaled answers something else than JSON") from error
    state, own = told.get("BackendState"), mapping(told.get("Self"))
    if not isinstance(state, str) or not state:
        raise UnknownError("tailscaled tells no state")
    vitals = Vitals()
    found = vitals.tailscale
    found.state = clean(state, _LONGEST_WORD)
    found.version = clean(text(told.get("Version")), _LONGEST_WORD)
    found.name = clean(text(own.get("DNSName")) or text(own.get("HostName")), _LONGEST_NAME).rstrip(".")
    found.addresses.extend(_texts(told, "TailscaleIPs"))
    found.warnings.extend(_texts(told, "Health"))
    online = own.get("Online")
    if isinstance(online, bool):
        found.online = online
    ends = moment(own.get("KeyExpiry"))
    if ends is not None:
        found.key_expires.CopyFrom(ends)
    return vitals


def ask(path: Path = SOCKET) -> Vitals:
    """Return the machine's place in its tailnet; nothing where no tailscaled runs."""
    line = outside.call(path)
    if line is None:
        return Vitals()
    answer = outside.ask(line, HOST, _PATH)
    if answer.status != _WELL:
        raise UnknownError(f"tailscaled answers {answer.status}")
    return parse(answer.body)


def _texts(told: Mapping[str, object], key: str) -> list[str]:
    listed = told.get(key)
    if not isinstance(listed, list):
        return []
    return [clean(each, outside.LONGEST_REASON) for each in listed if isinstance(each, str)][:_MOST]
