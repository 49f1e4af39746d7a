"""What a screen in a lobby is sent: what happens and how bad it is, but no host, user or address.

The hub leaves it out, so it does not matter what such a screen asks for or runs. What is sent is a list: a
field that is not on it stays here, one that the contract gets later included, and one that only a newer
node knows. Texts that somebody may have filled in are masked (masking.py); nodes, which are often called as
their machines are, get another name that stays the same.
"""

import hashlib
from collections.abc import Mapping

from google.protobuf.message import Message

from socme.v1.alert_pb2 import DESCRIPTOR, Alert
from zeus_hub.masking import mask

UNTOLD = "not told here"  # in place of a text whose presence matters


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SENT: Mapping[str, frozenset[str]] = {
    "WatchEvent": _words("snapshot alerts bookmark lagged triage cursor"),
    "Snapshot": _words("clients alerts time timeline tactics redacted"),
    "ClientSummary": _words("client name nodes last_day open fresh short_name hours usual"),
    "Slot": _words("begin alerts"),
    "TacticCount": _words("tactic alerts"),
    "SeverityCount": _words("severity alerts"),
    "StoredAlerts": _words("alerts"),
    "StoredAlert": _words("client node received alert triage"),
    "Alert": _words("id source time observed severity rule threat action count first last canary condition"),
    "Canary": _words("number written"),
    "Condition": _words("kind state since"),
    "Rule": _words("id name level category"),
    "Threat": _words("technique_ids technique_names tactic_ids tactic_names"),
    "TriageChanges": _words("changes"),
    "TriageChange": _words("client node id severity count received before after"),
    "Triage": _words("status verdict changed comments"),
    "Bookmark": _words("time"),
    "Lagged": _words("reason"),
    "FleetEvent": _words("node bookmark client"),
    "ClientStatus": _words("client health since seeing"),
    "NodeStatus": _words("client node state last_seen vitals enrolled health"),
    "Vitals": _words(
        "time uptime_seconds cpu_usage cpu_count memory disks sources spool wazuh suricata thehive"
        " clock_offset_seconds certificate_expires"
    ),
    "Capacity": _words("total_bytes used_bytes"),
    "Disk": _words("capacity"),
    "SourceVitals": _words(
        "kind bytes records alerts spooled undecodable lag_bytes last_record_age_seconds problem lost_bytes"
        " rolled_up sensor"
    ),
    "SensorVitals": _words("time uptime_seconds packets dropped rules_loaded rules_failed lost_alerts"),
    "SpoolVitals": _words("alerts bytes oldest_age_seconds acknowledged capacity_bytes unaccounted problem"),
    "WazuhVitals": _words("manager indexer dashboard agents"),
    "WazuhAgents": _words("active disconnected never_connected pending"),
    "SuricataVitals": _words("service day_records rules rules_failed rules_written"),
    "TheHiveVitals": _words("service"),
    "Service": _words("state seconds restarts"),
}
"""The fields of each message that are sent. Who adds one to the contract decides here and in the test."""

_OURS = DESCRIPTOR.package
_NODES = frozenset(("StoredAlert", "TriageChange", "NodeStatus"))  # have a client and a node
_UNTOLD = frozenset(("SourceVitals", "SpoolVitals"))  # have a problem: that there is one is sent


class Redaction:
    """Leaves out of messages what a redacted screen must not have."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def apply(self, message: Message) -> None:
        """Change a message of the Watch service, or a part of one, into what is sent."""
        message.DiscardUnknownFields()  # what a newer node said: nobody has decided on it
        self._visit(message)

    def alias(self, client: str, node: str) -> str:
        """Return what a node is called; whoever does not know the secret cannot try names."""
        name = f"{client}/{node}".encode()
        return f"node-{hashlib.blake2b(name, digest_size=3, key=self._secret).hexdigest()}"

    def _visit(self, message: Message) -> None:
        kind = message.DESCRIPTOR.name
        if kind == "StoredAlert":
            _mask(message.alert, message.node)  # type: ignore[attr-defined]  # told by its name
        if kind in _NODES:
            message.node = self.alias(message.client, message.node)  # type: ignore[attr-defined]
        if kind in _UNTOLD and message.problem:  # type: ignore[attr-defined]
            message.problem = UNTOLD  # type: ignore[attr-defined]
        sent = SENT.get(kind, frozenset())
        for field, value in message.ListFields():
            if field.name not in sent:
                message.ClearField(field.name)
            elif field.message_type is not None and field.message_type.file.package == _OURS:
                for part in (value,) if isinstance(value, Message) else value:
                    self._visit(part)


def _mask(alert: Alert, node: str) -> None:
    if alert.rule.name:
        alert.rule.name = mask(alert, node)
