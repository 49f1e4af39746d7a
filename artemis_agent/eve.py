"""What Suricata says in one EVE object, as parts of an Alert, wherever the object stands.

It stands in eve.json as Suricata wrote it, and in `data` of a Wazuh alert, where every number has become
a string. Field names are those of Suricata 6, 7 and 8, which differ in little: DNS is
{"query": [{"rrname": …}]} up to 7 and {"queries": [{"rrname": …}]} in 8, references are new in 8.
"""

from collections.abc import Mapping

import msgspec

from artemis_agent.copy_key import copy_key
from artemis_agent.values import (
    LARGEST_INT32,
    LARGEST_INT64,
    LARGEST_UINT64,
    address,
    first,
    integer,
    mac,
    mapping,
    port,
    text,
    texts,
)
from socme.severity import of_suricata
from socme.v1.alert_pb2 import Action, Alert, Endpoint, Network, Rule, Severity

_ACTIONS: Mapping[str, Action.ValueType] = {
    "allowed": Action.ACTION_ALLOWED,
    "blocked": Action.ACTION_BLOCKED,
}
_NO_ACTION = Action.ACTION_UNSPECIFIED  # looked up once: protobuf's enums are slow to ask
_ATTACK = frozenset(f"mitre_{what}_{kind}" for what in ("technique", "tactic") for kind in ("id", "name"))
_DNS = ("query", "queries", "answer")  # where a DNS record keeps the name asked for, by version
_MOST_TAGS = 64
_LARGEST_TAG = 4095
_LARGE_NUMBER = ".000000"  # Wazuh writes large numbers as "%f"


class Eve(msgspec.Struct, gc=False):
    """The keys of an EVE object that an Alert is made of, as they came."""

    timestamp: object = None
    event_type: object = None
    flow_id: object = None
    in_iface: object = None
    vlan: object = None
    src_ip: object = None
    src_port: object = None
    dest_ip: object = None
    dest_port: object = None
    proto: object = None
    app_proto: object = None
    community_id: object = None
    host: object = None
    ether: object = None
    alert: object = None
    http: object = None
    tls: object = None
    quic: object = None
    dns: object = None
    fileinfo: object = None
    files: object = None


def is_alert(eve: Eve) -> bool:
    """Return whether Suricata raised an alert here; other records may hold an `alert` object as well."""
    return eve.event_type == "alert"


def join_key(eve: Eve, signature_id: str) -> int | None:
    """Return the key that a Suricata alert shares with its copy in Wazuh; None where it cannot have one.

    `signature_id` are the digits of its signature's id.
    """
    if not signature_id or not isinstance(eve.timestamp, str) or not eve.timestamp:
        return None
    return copy_key(eve.timestamp, signature_id, digits(eve.flow_id))


def level(eve: Eve) -> int | None:
    """Return Suricata's priority, 1 being worst; None where there is none."""
    return integer(mapping(eve.alert).get("severity"), -LARGEST_INT32, LARGEST_INT32)


def severity(eve: Eve) -> Severity.ValueType:
    """Return the severity on SOCme's scale."""
    named = mapping(mapping(eve.alert).get("metadata")).get("signature_severity")
    critical = any(each.lower() == "critical" for each in texts(named)) if named is not None else False
    return of_suricata(level(eve), critical=critical)


def action(eve: Eve) -> Action.ValueType:
    """Return what Suricata did with the traffic."""
    return _ACTIONS.get(text(mapping(eve.alert).get("action")), _NO_ACTION)


def fill_rule(eve: Eve, rule: Rule) -> None:
    """Fill in the signature that fired."""
    alert = mapping(eve.alert)
    rule.id = text(alert.get("signature_id"))
    rule.name = text(alert.get("signature"))
    rule.category = text(alert.get("category"))
    if (priority := level(eve)) is not None:
        rule.level = priority
    if (revision := integer(alert.get("rev"), -LARGEST_INT64, LARGEST_INT64)) is not None:
        rule.revision = revision
    if (generator := integer(alert.get("gid"), -LARGEST_INT64, LARGEST_INT64)) is not None:
        rule.generator = generator
    if references := _references(alert):
        rule.references.extend(references)
    rule.SetInParent()


def fill_threat(eve: Eve, alert: Alert) -> None:
    """Add the ATT&CK techniques and tactics of the signature's metadata, where it has some."""
    metadata = mapping(mapping(eve.alert).get("metadata"))
    if _ATTACK.isdisjoint(metadata):
        return
    threat = alert.threat
    threat.technique_ids.extend(texts(metadata.get("mitre_technique_id")))
    threat.technique_names.extend(_spaced(metadata.get("mitre_technique_name")))
    threat.tactic_ids.extend(texts(metadata.get("mitre_tactic_id")))
    threat.tactic_names.extend(_spaced(metadata.get("mitre_tactic_name")))
    threat.SetInParent()


def fill_source(eve: Eve, end: Endpoint) -> None:
    """Fill in where the packet came from."""
    _fill_end(end, eve.src_ip, eve.src_port, mapping(eve.ether).get("src_mac"))


def fill_destination(eve: Eve, end: Endpoint) -> None:
    """Fill in where the packet went."""
    _fill_end(end, eve.dest_ip, eve.dest_port, mapping(eve.ether).get("dest_mac"))


def _fill_end(end: Endpoint, ip: object, number: object, hardware: object) -> None:
    """Fill in what is known of one end of the traffic; the rest stays as it is."""
    if known_ip := address(ip):
        end.ip = known_ip
    if known_port := port(number):
        end.port = known_port
    if hardware is not None and (known_mac := mac(hardware)):
        end.mac = known_mac
    end.SetInParent()  # it is there though nothing may be known of it, here and below


def fill_network(eve: Eve, network: Network) -> None:
    """Fill in the traffic that the alert is about."""
    protocol = text(eve.app_proto).lower()
    network.transport = text(eve.proto).lower()
    network.protocol = "" if protocol == "failed" else protocol
    network.community_id = text(eve.community_id)
    network.interface = text(eve.in_iface)
    if (flow_id := integer(eve.flow_id, 0, LARGEST_UINT64)) is not None:
        network.flow_id = str(flow_id)
    if eve.vlan is not None:
        network.vlans.extend(_vlans(eve.vlan))
    network.SetInParent()


def url(eve: Eve) -> str:
    """Return the URL asked for, whole where the server's name is known."""
    http = mapping(eve.http)
    path, server = text(http.get("url")), text(http.get("hostname"))
    if not (server and path.startswith("/")):
        return path
    number = port(http.get("http_port"))
    return text(f"http://{server}:{number}{path}" if number else f"http://{server}{path}")


def user_agent(eve: Eve) -> str:
    """Return what the HTTP client calls itself."""
    return text(mapping(eve.http).get("http_user_agent"))


def domain(eve: Eve) -> str:
    """Return the name of the server, from HTTP, TLS, QUIC or DNS."""
    for layer, name in ((eve.http, "hostname"), (eve.tls, "sni"), (eve.quic, "sni"), (eve.dns, "rrname")):
        if layer is not None and (found := text(mapping(layer).get(name))):
            return found
    dns = mapping(eve.dns)
    return next((found for key in _DNS if (found := text(first(dns.get(key)).get("rrname")))), "")


def fill_file(eve: Eve, alert: Alert) -> None:
    """Add the first file of the transaction, where there is one."""
    info = first(eve.fileinfo) or first(eve.files)
    if not info:
        return
    file = alert.file
    file.Clear()
    file.path = text(info.get("filename"))
    file.md5 = text(info.get("md5"))
    file.sha1 = text(info.get("sha1"))
    file.sha256 = text(info.get("sha256"))
    file.SetInParent()


def digits(value: object) -> str:
    """Return a whole number as text, also as Wazuh writes it."""
    return value.removesuffix(_LARGE_NUMBER) if isinstance(value, str) else text(value)


def _spaced(value: object) -> list[str]:
    return [name.replace("_", " ") for name in texts(value)]


def _references(alert: Mapping[str, object]) -> list[str]:
    numbers = [each.upper().replace("_", "-") for each in texts(mapping(alert.get("metadata")).get("cve"))]
    named = [each if each.startswith("CVE-") else f"CVE-{each}" for each in numbers]
    return [*texts(alert.get("references")), *named]


def _vlans(value: object) -> list[int]:
    tags = value if isinstance(value, list) else [value]
    found = (integer(tag, 0, _LARGEST_TAG) for tag in tags[:_MOST_TAGS])
    return [tag for tag in found if tag is not None]
