"""Alerts as `zeus alert export` writes them, read again: one JSON object a line.

The keys are those of socme/view.py. People write such lines by hand too, to try rules on them: `client` and
`time` (or `received`) must be there, and what is no key of an alert is refused, for a word that is mistyped
would otherwise try something else. What people did about an alert is not read.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from socme import severity
from socme.v1.alert_pb2 import Action, Alert, ConditionState
from socme.v1.watch_pb2 import StoredAlert
from socme.view import SOURCES

_SAME = frozenset({
    "message", "rule", "host", "threat", "user", "process", "file", "url", "domain", "decoder",
    "location", "count", "time", "raw_bytes", "raw_cut",
})  # fmt: skip
"""Keys that are called the same in an Alert, down to their last."""
_OTHERWISE = {"created": "observed", "code": "native_id", "start": "first", "end": "last"}
"""What `event` says, by the name of an Alert's field."""
_NOT_READ = frozenset({"triage", "raw_base64"})
_MODULES = {name: number for number, name in SOURCES.items()} | {severity.UNKNOWN: 0}


class LineError(ValueError):
    """A line that is no alert, with its number and the reason."""


def read(lines: Iterable[bytes]) -> Iterator[StoredAlert]:
    """Yield the alerts of a file, in its order; empty lines are none. Raises LineError."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            view = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise LineError(f"{number}: no JSON: {error}") from error
        try:
            stored = alert(view)
        except (ValueError, TypeError, json_format.Error) as error:
            raise LineError(f"{number}: {error}") from error
        if not stored.alert.id:
            stored.alert.id = hashlib.blake2b(b"%d" % number, digest_size=16).digest()
        yield stored


def alert(view: object) -> StoredAlert:
    """Return the alert of which `alert_view` made this. Raises ValueError, TypeError or json_format.Error."""
    rest = _object(view, "an alert")
    stored = StoredAlert(client=_text(rest, "client"), node=_text(rest, "node"))
    if not stored.client:
        raise ValueError("it has no client")
    made = stored.alert
    _fill(made, {key: rest.pop(key) for key in _SAME & rest.keys()})
    made.id = bytes.fromhex(_text(rest, "id"))
    made.severity = _severity(_text(rest, "severity"))
    made.action = _action(_text(rest, "action"))
    _ends(made, _part(rest, "source"), _part(rest, "destination"), event := _part(rest, "event"))
    _fill(made, {name: event.pop(key) for key, name in _OTHERWISE.items() if key in event})
    _network(made, _part(rest, "network"))
    _condition(made, _part(rest, "socme"))
    made.user_agent = _text(agent := _part(rest, "user_agent"), "original")
    log = _part(rest, "log")
    _fill(made, {"origin": log.pop("file", None), "offset": log.pop("offset", None)})
    _raw(made, rest)
    _fill(stored, {"received": rest.pop("received", None)})
    if not stored.HasField("received"):
        if not made.HasField("time"):
            raise ValueError("it has no time")
        stored.received.CopyFrom(made.time)
    _nothing(rest.keys() - _NOT_READ, "")
    _nothing(event, "event.")
    _nothing(log, "log.")
    _nothing(agent, "user_agent.")
    return stored


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{what} is an object, not {json.dumps(value)[:50]}")
    return dict(value)


def _part(rest: dict[str, Any], key: str) -> dict[str, Any]:
    return _object(rest.pop(key, None) or {}, key)


def _text(rest: dict[str, Any], key: str) -> str:
    value = rest.pop(key, None)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{key} is a text, not {json.dumps(value)[:50]}")
    return value


def _fill(message: Message, values: Mapping[str, object]) -> None:
    json_format.ParseDict(dict(values), message)


def _severity(name: str) -> Any:  # noqa: ANN401 - protobuf's enums take a number
    if name in {"", severity.UNKNOWN}:
        return 0
    if name not in severity.NAMES:
        raise ValueError(f"severity is {name!r}, none of {', '.join([*severity.NAMES, severity.UNKNOWN])}")
    return severity.named(name)


def _action(name: str) -> Any:  # noqa: ANN401 - as above
    return Action.Value(f"ACTION_{name.upper()}") if name else 0


def _ends(made: Alert, source: dict[str, Any], destination: dict[str, Any], event: dict[str, Any]) -> None:
    """Take both ends and the sensor, which `source` and `event` name."""
    modules = {_text(source, "module"), _text(event, "module")} - {""}
    for module in modules:
        if module not in _MODULES:
            raise ValueError(f"the module is {module!r}, none of {', '.join(_MODULES)}")
        made.source = _MODULES[module]  # type: ignore[assignment]  # an enum's number
    for end, given in ((made.source_endpoint, source), (made.destination_endpoint, destination)):
        _fill(end, given)


def _network(made: Alert, network: dict[str, Any]) -> None:
    flow = network.get("flow_id")
    _fill(made.network, network | {"flow_id": None if flow is None else str(flow)})


def _condition(made: Alert, own: dict[str, Any]) -> None:
    given = _part(own, "condition")
    _nothing(own, "socme.")
    if given:
        state = _text(given, "state")
        known = f"CONDITION_STATE_{state.upper()}" if state not in {"", severity.UNKNOWN} else None
        _fill(made.condition, given)
        made.condition.state = ConditionState.Value(known) if known else 0  # type: ignore[assignment]


def _raw(made: Alert, rest: dict[str, Any]) -> None:
    text, encoded = _text(rest, "raw"), rest.get("raw_base64")
    made.raw = base64.b64decode(encoded, validate=True) if isinstance(encoded, str) else text.encode()


def _nothing(left: Iterable[str], place: str) -> None:
    """Refuse keys that nobody knows."""
    for key in sorted(left):
        raise ValueError(f"there is no {place}{key} in an alert")
