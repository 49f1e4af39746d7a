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
LONGEST = 300  # characters of a name that are looked at; the rest is left out
DEEPEST = 20  # levels of a line that are looked into
_ADDRESS = re.compile(
    r"\b\w+://\S+"  # URL
    r"|[^\s@]+@[^\s@]+"  # e-mail address, user at host
    r"|[\w.-]+\\[\w.$-]+"  # domain and user
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
    name = alert.rule.name[:LONGEST]
    told = _read(alert) if alert.source == AlertSource.ALERT_SOURCE_WAZUH and name else ()
    if told is None:
        return ""
    lower = name.lower()
    values = {value for value in (*others, *_fields(alert), *_named(told)) if value.lower() in lower}
    for value in sorted(values, key=len, reverse=True):
        if value and not value.isdecimal():
            name = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, name, flags=re.IGNORECASE)
    return _ADDRESS.sub(MASK, name)


def _fields(alert: Alert) -> Iterator[str]:
    host, source, destination = alert.host, alert.source_endpoint, alert.destination_endpoint
    yield from (host.name, host.name.partition(".")[0], host.ip, alert.user, alert.url, alert.domain)
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


def _named(told: object, key: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the texts of a line that stand under keys that name something."""
    if depth > DEEPEST:
        return
    if isinstance(told, dict):
        for inner, value in told.items():
            yield from _named(value, inner, depth + 1)
    elif isinstance(told, list):
        for value in told:
            yield from _named(value, key, depth + 1)
    elif isinstance(told, str) and _NAMING.search(key):
        yield told
