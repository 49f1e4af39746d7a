"""A rule's name without what it may say of machines, people and addresses.

Suricata's signatures are fixed texts. A description of Wazuh may be filled in from the event ("User
$(dstuser) logged in from $(srcip)"), so whatever the alert or its line names is taken out of it again, and
what looks like an address, whoever wrote it.
"""

import json
import re
from collections.abc import Iterator

from socme.v1.alert_pb2 import Alert, AlertSource

MASK = "***"
LONGEST = 1000  # characters of a name; one that is longer is no rule's
DEEPEST = 20  # levels of a line that are looked into
_ADDRESS = re.compile(
    r"\b\w+://\S+"  # URL
    r"|(?<![^\s@])[^\s@]+@[^\s@]+"  # e-mail address, user at host
    r"|(?<![\w.-])[\w.-]+\\[\w.$-]+"  # domain and user
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)"  # IPv4
    r"|(?<![\w:])(?=[0-9a-f:]*:[0-9a-f]*:)[0-9a-f:]{3,}(?:(?:\.\d{1,3}){3})?(?![\w:])"  # IPv6, MAC
    r"|(?<![\w-])(?:[0-9a-f]{2}-){5}[0-9a-f]{2}(?![\w-])",  # MAC
    re.IGNORECASE,
)
# Keys of a line's fields that name somebody or something; what a signature is called must stay.
_NAMING = re.compile(
    r"user|uid|account|login|mail|host|name|computer|workstation|domain|agent|addr|ip$|mac$"
    r"|path|file|image|process|exe|command|url|uri",
    re.IGNORECASE,
)


def mask(alert: Alert, *others: str) -> str:
    """Return the name of an alert's rule, masked; `others` must not stand in it either.

    It is empty where the line that may have filled it in cannot be read.
    """
    name = alert.rule.name
    if len(name) > LONGEST:
        return ""
    told = _read(alert) if alert.source == AlertSource.ALERT_SOURCE_WAZUH and name else ()
    if told is None:
        return ""
    lower = _lower(name)
    values = {_lower(value) for value in (*others, *_fields(alert)) if value}
    _name(told, lower, values)
    spans = [span for value in values if value in lower for span in _spans(lower, value)]
    for begin, end in _joined(spans):
        name = name[:begin] + MASK + name[end:]
    return _ADDRESS.sub(MASK, name)


def _lower(text: str) -> str:
    """Return text in small letters, as long as it was: there are letters that become two."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(each.lower()[0] for each in text)


def _spans(text: str, value: str) -> Iterator[tuple[int, int]]:
    """Yield where a value stands in a text as a word of its own; a number alone names nothing."""
    begin = -1 if value.isdecimal() else text.find(value)
    while begin >= 0:
        end = begin + len(value)
        if not (_is_word(text[begin - 1 : begin]) or _is_word(text[end : end + 1])):
            yield begin, end
        begin = text.find(value, begin + 1)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans without overlaps, the last one first."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined[::-1]


def _fields(alert: Alert) -> Iterator[str]:
    host, source, destination = alert.host, alert.source_endpoint, alert.destination_endpoint
    yield from (host.name, host.name.partition(".")[0], host.ip, alert.user, alert.url, alert.domain)
    yield alert.user_agent
    yield from (source.ip, source.mac, destination.ip, destination.mac)
    for path in (alert.process, alert.file.path):
        yield path
        yield re.split(r"[/\\]", path)[-1]


def _read(alert: Alert) -> object | None:
    """Return the line of an alert; None where it is none that can be read."""
    try:
        found = json.loads(alert.raw.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    return {key: value for key, value in found.items() if key != "rule"} if isinstance(found, dict) else None


def _name(told: object, text: str, found: set[str], key: str = "", depth: int = 0) -> None:
    """Find what a line has under keys that name something, of which there is something in a text."""
    if isinstance(told, str):
        value = _lower(told) if len(told) <= len(text) else ""
        if value and value in text and _NAMING.search(key):
            found.add(value)
    elif depth < DEEPEST and isinstance(told, dict):
        for inner, value in told.items():
            _name(value, text, found, inner, depth + 1)
    elif depth < DEEPEST and isinstance(told, list):
        for value in told:
            _name(value, text, found, key, depth + 1)
