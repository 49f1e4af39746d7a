"""A line of eve.json as an Alert."""

import msgspec

from artemis_agent import eve
from artemis_agent.decode import decode
from artemis_agent.eve import Eve
from artemis_agent.values import mapping, moment, text
from socme.v1.alert_pb2 import Alert, AlertSource, Host

_DECODER = msgspec.json.Decoder(Eve)


def read(raw: bytes) -> tuple[Alert, int | None] | None:
    """Return the alert of a line and the key that its copy in Wazuh has; None for a line without one.

    Raise UndecodableError. What the line's place in its file says is not filled in.
    """
    line = decode(raw, _DECODER, Eve)
    if line is None or not eve.is_alert(line):
        return None
    return _alert(line), eve.join_key(line)


def _alert(line: Eve) -> Alert:
    sensor = text(line.host)
    return Alert(
        source=AlertSource.ALERT_SOURCE_SURICATA,
        time=moment(line.timestamp),
        severity=eve.severity(line),
        rule=eve.rule(line),
        threat=eve.threat(line),
        source_endpoint=eve.source(line),
        destination_endpoint=eve.destination(line),
        host=Host(name=sensor) if sensor else None,
        network=eve.network(line),
        file=eve.file(line),
        url=eve.url(line),
        domain=eve.domain(line),
        message=text(mapping(line.alert).get("signature")),
        action=eve.action(line),
    )
