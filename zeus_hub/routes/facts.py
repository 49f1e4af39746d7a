"""What a matcher may ask about an alert: names as in ECS, each with its type, always all there.

FIELDS is the only list of them: what a matcher is checked against, what it runs on, and what the
documentation shows. A field that the alert does not say is "", 0 or an empty list, so that no matcher meets a
name that is missing. Texts and lists are cut, since whoever raises an alert chooses their length.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from socme import severity
from socme.v1.alert_pb2 import Action, ConditionState
from socme.v1.watch_pb2 import StoredAlert
from socme.view import SOURCES

LONGEST_TEXT = 10_000  # characters of a text that a matcher sees
MOST_LISTED = 100  # entries of a list that it sees
HIGHEST_COUNT = 2**32 - 1
HIGHEST_PORT = 2**16 - 1
HIGHEST_LEVEL = 2**31 - 1

Kind = Literal["text", "number", "texts"]
Value = str | int | list[str]

CONSTANTS: Mapping[str, int] = {
    severity.UNKNOWN: 0,
    **{name: int(severity.named(name)) for name in severity.NAMES},
}
"""Names for what `severity` is compared with."""

_ACTIONS: Mapping[int, str] = {Action.ACTION_ALLOWED: "allowed", Action.ACTION_BLOCKED: "blocked"}
_STATES: Mapping[int, str] = {
    ConditionState.CONDITION_STATE_RAISED: "raised",
    ConditionState.CONDITION_STATE_CLEARED: "cleared",
    ConditionState.CONDITION_STATE_HAPPENED: "happened",
}


@dataclass(frozen=True, slots=True)
class Field:
    """Something that an alert may say."""

    kind: Kind
    meaning: str
    """For the documentation."""
    take: Callable[[StoredAlert], Value]
    low: int = 0
    high: int = 0
    """Between what a number lies."""


def _text(meaning: str, take: Callable[[StoredAlert], str]) -> Field:
    return Field("text", meaning, lambda stored: take(stored)[:LONGEST_TEXT])


def _number(meaning: str, take: Callable[[StoredAlert], int], high: int, low: int = 0) -> Field:
    return Field("number", meaning, take, low, high)


def _texts(meaning: str, take: Callable[[StoredAlert], list[str]]) -> Field:
    return Field(
        "texts", meaning, lambda stored: [text[:LONGEST_TEXT] for text in take(stored)[:MOST_LISTED]]
    )


def _hashes(stored: StoredAlert) -> list[str]:
    file = stored.alert.file
    return [digest for digest in (file.md5, file.sha1, file.sha256) if digest]


def _severity(stored: StoredAlert) -> int:
    """Return the severity; one that this version does not know is unknown."""
    given = int(stored.alert.severity)
    return given if given in CONSTANTS.values() else 0


FIELDS: Mapping[str, Field] = {
    "client": _text("the client's id", lambda stored: stored.client),
    "node": _text("the node's name", lambda stored: stored.node),
    "severity": _number(
        "low, medium, high, critical (1 to 4), or unknown (0)", _severity, max(CONSTANTS.values())
    ),
    "count": _number(
        "how many alerts it stands for (roll-up)", lambda stored: stored.alert.count or 1, HIGHEST_COUNT, 1
    ),
    "message": _text("one line for people", lambda stored: stored.alert.message),
    "source.ip": _text("who began the connection", lambda stored: stored.alert.source_endpoint.ip),
    "source.port": _number(
        "0 where there is none", lambda stored: _port(stored.alert.source_endpoint.port), HIGHEST_PORT
    ),
    "destination.ip": _text("who was connected to", lambda stored: stored.alert.destination_endpoint.ip),
    "destination.port": _number(
        "0 where there is none", lambda stored: _port(stored.alert.destination_endpoint.port), HIGHEST_PORT
    ),
    "host.id": _text("Wazuh's number of the machine", lambda stored: stored.alert.host.id),
    "host.name": _text("the machine that it is about", lambda stored: stored.alert.host.name),
    "host.ip": _text("its address", lambda stored: stored.alert.host.ip),
    "user.name": _text("the account that it is about", lambda stored: stored.alert.user),
    "process.executable": _text("the program that it is about", lambda stored: stored.alert.process),
    "rule.id": _text(
        "the rule that fired, as text; SOCme's own begin with socme.", lambda stored: stored.alert.rule.id
    ),
    "rule.name": _text("the rule's description", lambda stored: stored.alert.rule.name),
    "rule.level": _number(
        "the sensor's own severity: Wazuh 0 to 16, Suricata 1 (worst) and more",
        lambda stored: stored.alert.rule.level,
        HIGHEST_LEVEL,
        -HIGHEST_LEVEL - 1,
    ),
    "rule.groups": _texts("Wazuh's groups of the rule", lambda stored: list(stored.alert.rule.groups)),
    "rule.category": _text("the rule's category", lambda stored: stored.alert.rule.category),
    "rule.references": _texts(
        "where more is said of the rule, CVEs included", lambda stored: list(stored.alert.rule.references)
    ),
    "threat.technique.id": _texts(
        'ATT&CK techniques, as "T1110.001"', lambda stored: list(stored.alert.threat.technique_ids)
    ),
    "threat.technique.name": _texts("their names", lambda stored: list(stored.alert.threat.technique_names)),
    "threat.tactic.name": _texts(
        'ATT&CK tactics, as "Credential Access"', lambda stored: list(stored.alert.threat.tactic_names)
    ),
    "event.module": _text(
        '"suricata", "wazuh" or "socme"', lambda stored: SOURCES.get(stored.alert.source, "")
    ),
    "event.action": _text(
        '"allowed" or "blocked"; of a watched file "added", "modified" or "deleted"',
        lambda stored: _ACTIONS.get(stored.alert.action) or stored.alert.file.event,
    ),
    "url": _text("the address that was asked for", lambda stored: stored.alert.url),
    "domain": _text("the name that was asked for", lambda stored: stored.alert.domain),
    "user_agent.original": _text(
        "what the program that asked calls itself", lambda stored: stored.alert.user_agent
    ),
    "file.path": _text("the file that it is about", lambda stored: stored.alert.file.path),
    "file.hash": _texts("its MD5, SHA-1 and SHA-256, as far as known", _hashes),
    "network.protocol": _text('in lower case, as "http"', lambda stored: stored.alert.network.protocol),
    "network.transport": _text('in lower case, as "tcp"', lambda stored: stored.alert.network.transport),
    "condition.kind": _text(
        'what SOCme says of itself, as "node_silent"', lambda stored: stored.alert.condition.kind
    ),
    "condition.subject": _text(
        "what that is about within the node", lambda stored: stored.alert.condition.subject
    ),
    "condition.state": _text(
        '"raised", "cleared" or "happened"',
        lambda stored: _STATES.get(stored.alert.condition.state, ""),
    ),
}

Tree = dict[str, "Value | Tree"]


def variables(stored: StoredAlert, names: Iterable[str]) -> Tree:
    """Return what matchers may ask about an alert, nested as the names are, and the constants.

    Of all names only those are there that begin with one of `names`: to give the engine everything takes ten
    times as long as to ask it.
    """
    found: Tree = {}
    for first in names:
        if first in CONSTANTS:
            found[first] = CONSTANTS[first]
        for parents, last, take in _PLAN.get(first, ()):
            place = found
            for parent in parents:
                place = place.setdefault(parent, {})  # type: ignore[assignment]  # a parent holds no value itself
            place[last] = take(stored)
    return found


def value(stored: StoredAlert, path: str) -> str:
    """Return a field that is no list, as text."""
    return str(FIELDS[path].take(stored))


def scalars() -> Iterator[str]:
    """Yield the names of the fields that alerts may be grouped by: those that are no lists."""
    return (path for path, field in FIELDS.items() if field.kind != "texts")


def _port(number: int) -> int:
    """Return a port; a node may send any number, and what is none is 0."""
    return number if number <= HIGHEST_PORT else 0


def _plan() -> dict[str, list[tuple[list[str], str, Callable[[StoredAlert], Value]]]]:
    """Return, by the first step of their names, how the fields are put together."""
    plan: dict[str, list[tuple[list[str], str, Callable[[StoredAlert], Value]]]] = {}
    for path, field in FIELDS.items():
        *parents, last = path.split(".")
        plan.setdefault(path.split(".")[0], []).append((parents, last, field.take))
    return plan


_PLAN = _plan()
NAMES = frozenset([*_PLAN, *CONSTANTS])
"""All that a name may begin with."""
