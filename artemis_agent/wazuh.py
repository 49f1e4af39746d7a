"""A line of Wazuh 4's alerts.json as an Alert.

The rule's own keys are open (compliance lists by many names); `data` holds what a decoder found, as
strings. What Suricata found stands in `data` as a whole EVE object under rules of the group "suricata".
"""

from collections.abc import Mapping

import msgspec

from artemis_agent import eve
from artemis_agent.decode import UndecodableError, decode, pick
from artemis_agent.eve import Eve
from artemis_agent.values import (
    LARGEST_INT32,
    LARGEST_INT64,
    address,
    integer,
    mapping,
    moment,
    port,
    text,
    texts,
)
from socme.severity import of_wazuh
from socme.v1.alert_pb2 import Alert, AlertSource, Endpoint, File, Host, Network, Rule, Severity, Threat

SURICATA_RULE = "86601"  # "Suricata: Alert - …", level 3 whatever Suricata's own severity
_SURICATA_GROUP = "suricata"
_SOURCE = AlertSource.ALERT_SOURCE_WAZUH  # looked up once: protobuf's enums are slow to ask
_NO_ACCOUNT = str(2**32 - 1)  # the audit user id of a process that no login began
_NO_USER_AGENT = frozenset(("", "-"))  # the second as web logs say it

# Decoders of web logs put the method ("GET") where others have the transport.
_TRANSPORTS = frozenset(
    ("tcp", "udp", "icmp", "icmpv6", "ipv6-icmp", "igmp", "gre", "esp", "ah", "sctp", "dccp", "ipip", "ospf")
)


class Line(msgspec.Struct, gc=False):
    """The keys of an alert that an Alert is made of, as they came."""

    timestamp: object = None
    rule: object = None
    agent: object = None
    agentless: object = None
    id: object = None
    full_log: object = None
    syscheck: object = None
    decoder: object = None
    data: object = None
    location: object = None


_DECODER = msgspec.json.Decoder(Line)


def read(raw: bytes) -> tuple[Alert, int | None] | None:
    """Return the alert of a line and, where it is a copy of a Suricata alert, the key of that one.

    None for a line without an alert: archives.json has the same shape without `rule`. Raise
    UndecodableError. What the line's place in its file says is not filled in.
    """
    line = decode(raw, _DECODER, Line)
    if line is None or line.rule is None:
        return None
    if not isinstance(line.rule, dict):
        raise UndecodableError("rule is no object")
    alert = _alert(line)
    if _SURICATA_GROUP not in alert.rule.groups:
        return alert, None
    inner = pick(mapping(line.data), Eve)
    _add_traffic(alert, inner)
    if alert.rule.id != SURICATA_RULE or not eve.is_alert(inner):
        return alert, None
    _add_verdict(alert, inner)
    return alert, eve.join_key(inner, eve.digits(mapping(inner.alert).get("signature_id")))


def _alert(line: Line) -> Alert:
    rule, data = mapping(line.rule), mapping(line.data)
    windows = mapping(mapping(data.get("win")).get("eventdata"))
    audit = mapping(data.get("audit"))
    alert = Alert(
        source=_SOURCE,
        severity=_severity(rule),
        user=_user(data, windows, audit, mapping(line.syscheck)),
        process=text(audit.get("exe")) or text(windows.get("image")),
        url=text(data.get("url")),
        domain=text(data.get("hostname")),
        message=_message(line, rule),
        decoder=text(mapping(line.decoder).get("name")),
        location=text(line.location),
        native_id=text(line.id),
        user_agent=_user_agent(data),
    )
    if (time := moment(line.timestamp)) is not None:
        alert.time.CopyFrom(time)
    _fill_rule(rule, alert.rule)
    _fill_threat(mapping(rule.get("mitre")), alert.threat)
    _fill_end(data, alert.source_endpoint, ip=("srcip", "src_ip"), number=("srcport", "src_port"))
    _fill_end(data, alert.destination_endpoint, ip=("dstip", "dest_ip"), number=("dstport", "dest_port"))
    _fill_host(line, alert.host)
    _fill_network(data, alert.network)
    _fill_file(mapping(line.syscheck), alert.file)
    return alert


def _add_traffic(alert: Alert, inner: Eve) -> None:
    """Tell of the traffic what Suricata says, which is more than Wazuh's own field names hold."""
    eve.fill_source(inner, alert.source_endpoint)
    eve.fill_destination(inner, alert.destination_endpoint)
    alert.network.Clear()
    eve.fill_network(inner, alert.network)
    alert.url = eve.url(inner) or alert.url
    alert.domain = eve.domain(inner) or alert.domain
    alert.user_agent = eve.user_agent(inner) or alert.user_agent
    alert.action = eve.action(inner)
    eve.fill_file(inner, alert)


def _add_verdict(alert: Alert, inner: Eve) -> None:
    """Judge by Suricata: rule 86601 knows neither the severity nor the techniques of a signature."""
    alert.severity = eve.severity(inner)
    eve.fill_threat(inner, alert)


def _message(line: Line, rule: Mapping[str, object]) -> str:
    said = text(line.full_log)
    return "" if said == text(rule.get("description")) else said  # the rule's name then


def _severity(rule: Mapping[str, object]) -> Severity.ValueType:
    if "level" not in rule:
        return of_wazuh(0)  # Wazuh leaves out level 0
    level = _level(rule)
    return Severity.SEVERITY_UNSPECIFIED if level is None else of_wazuh(level)


def _level(rule: Mapping[str, object]) -> int | None:
    return integer(rule.get("level"), -LARGEST_INT32, LARGEST_INT32)


def _fill_rule(written: Mapping[str, object], rule: Rule) -> None:
    groups = texts(written.get("groups"))
    rule.id = text(written.get("id"))
    rule.name = text(written.get("description"))
    if (level := _level(written)) is not None:
        rule.level = level
    if groups:
        rule.groups.extend(groups)
        rule.category = groups[0]
    rule.references.extend([*texts(written.get("info")), *texts(written.get("cve"))])
    if (fired := integer(written.get("firedtimes"), -LARGEST_INT64, LARGEST_INT64)) is not None:
        rule.fired_times = fired
    rule.SetInParent()  # it is there though nothing may be known of it, here and below


def _fill_threat(mitre: Mapping[str, object], threat: Threat) -> None:
    if mitre:
        threat.technique_ids.extend(texts(mitre.get("id")))
        threat.technique_names.extend(texts(mitre.get("technique")))
        threat.tactic_names.extend(texts(mitre.get("tactic")))
        threat.SetInParent()


def _fill_end(
    data: Mapping[str, object], end: Endpoint, *, ip: tuple[str, str], number: tuple[str, str]
) -> None:
    if known_ip := address(data.get(ip[0])) or address(data.get(ip[1])):
        end.ip = known_ip
    if known_port := port(data.get(number[0])) or port(data.get(number[1])):
        end.port = known_port


def _fill_host(line: Line, host: Host) -> None:
    agent = mapping(line.agent)
    device = mapping(line.agentless).get("host")  # watched by the manager over SSH, without an agent
    if agent:
        host.id = text(agent.get("id"))
        host.name = text(agent.get("name"))
        host.ip = address(agent.get("ip"))
        host.SetInParent()
    elif device:
        host.name = text(device)
        host.ip = address(device)
        host.SetInParent()


def _fill_network(data: Mapping[str, object], network: Network) -> None:
    found = (text(data.get(name)).lower() for name in ("protocol", "proto"))
    if transport := next((name for name in found if name in _TRANSPORTS), ""):
        network.transport = transport


def _user(
    data: Mapping[str, object],
    windows: Mapping[str, object],
    audit: Mapping[str, object],
    syscheck: Mapping[str, object],
) -> str:
    account = text(audit.get("auid"))
    return (
        text(data.get("dstuser"))
        or text(data.get("srcuser"))
        or text(windows.get("targetUserName"))
        or (account if account != _NO_ACCOUNT else "")
        or text(syscheck.get("uname_after"))
    )


def _user_agent(data: Mapping[str, object]) -> str:
    aws = mapping(data.get("aws"))
    values = (data.get("user_agent"), data.get("userAgent"), aws.get("user_agent"), aws.get("userAgent"))
    found = (text(value) for value in values)
    return next((name for name in found if name not in _NO_USER_AGENT), "")


def _fill_file(syscheck: Mapping[str, object], file: File) -> None:
    if syscheck:
        file.path = text(syscheck.get("path"))
        file.md5 = text(syscheck.get("md5_after"))
        file.sha1 = text(syscheck.get("sha1_after"))
        file.sha256 = text(syscheck.get("sha256_after"))
        file.event = text(syscheck.get("event"))
        file.SetInParent()
