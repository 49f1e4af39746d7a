"""A line of eve.json as an Alert.

What a line says of its signature is the same for every alert of that signature, byte for byte: what is made
of it is kept, which saves half of the time.
"""

from functools import lru_cache

import msgspec

from artemis_agent import eve
from artemis_agent.decode import decode
from artemis_agent.eve import Eve
from artemis_agent.values import mapping, moment, text
from socme.v1.alert_pb2 import Alert, AlertSource

MOST_SIGNATURES = 1024  # that are kept; some 3 MB, with their bytes
LONGEST_SIGNATURE = 4096  # bytes of one that is kept

_SURICATA = AlertSource.ALERT_SOURCE_SURICATA
_NOTHING = msgspec.Raw(b"null")


class _Line(Eve, gc=False):  # as Eve: it holds no cycles, and millions are made
    """The same keys, the alert object still to be read."""

    alert: msgspec.Raw = _NOTHING


_DECODER = msgspec.json.Decoder(Eve)
_LINE_DECODER = msgspec.json.Decoder(_Line)


def read(raw: bytes) -> tuple[Alert, int | None] | None:
    """Return the alert of a line and the key that its copy in Wazuh has; None for a line without one.

    Raise UndecodableError. What the line's place in its file says is not filled in.
    """
    found = _opened(raw)
    return None if found is None else _alert(*found)


def glance(raw: bytes) -> tuple[Alert, None] | None:
    """Return the same without the key, and of the alert only what its signature says, not to be changed."""
    found = _opened(raw)
    return None if found is None else (found[1], None)


def _opened(raw: bytes) -> tuple[Eve, Alert, str] | None:
    """Return a line, and of its signature what it says and the id; None for a line without an alert."""
    line: Eve | None
    try:
        quick = _LINE_DECODER.decode(raw)
        line, known = quick, _signature(quick) if eve.is_alert(quick) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        line = decode(raw, _DECODER, Eve)
        known = _made(line.alert) if line is not None and eve.is_alert(line) else None
    return None if line is None or known is None else (line, *known)


def _signature(line: _Line) -> tuple[Alert, str]:
    raw = bytes(line.alert)
    return _kept(raw) if len(raw) <= LONGEST_SIGNATURE else _made(msgspec.json.decode(raw))


@lru_cache(maxsize=MOST_SIGNATURES)
def _kept(raw: bytes) -> tuple[Alert, str]:
    return _made(msgspec.json.decode(raw))


def _made(signature: object) -> tuple[Alert, str]:
    """Return what an alert object says, not to be changed, and its signature's id."""
    line = Eve(alert=signature)
    alert = Alert(source=_SURICATA, severity=eve.severity(line), action=eve.action(line))
    eve.fill_rule(line, alert.rule)
    eve.fill_threat(line, alert)
    return alert, eve.digits(mapping(signature).get("signature_id"))


def _alert(line: Eve, known: Alert, signature_id: str) -> tuple[Alert, int | None]:
    """Return an alert of a known signature; its parts are filled in where they stand, which is fastest."""
    alert = Alert()
    alert.CopyFrom(known)
    if (time := moment(line.timestamp)) is not None:
        alert.time.CopyFrom(time)
    eve.fill_source(line, alert.source_endpoint)
    eve.fill_destination(line, alert.destination_endpoint)
    eve.fill_network(line, alert.network)
    eve.fill_file(line, alert)
    alert.url = eve.url(line)
    alert.domain = eve.domain(line)
    alert.user_agent = eve.user_agent(line)
    if sensor := text(line.host):
        alert.host.name = sensor
    return alert, eve.join_key(line, signature_id)
