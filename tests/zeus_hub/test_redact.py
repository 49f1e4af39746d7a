"""What a redacted screen is sent is decided field by field."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from socme.v1.alert_pb2 import Alert, AlertSource, Condition, Endpoint, Host, Rule
from socme.v1.vitals_pb2 import Disk, NodeStatus, SourceVitals, SpoolVitals, TailscaleVitals, Vitals
from socme.v1.watch_pb2 import FleetEvent, StoredAlert, Triage, TriageChange, WatchEvent
from zeus_hub.redact import SENT, UNTOLD, Redaction

REDACTION = Redaction(b"s" * 16)
# What stays at the hub, by message: a text that may name something, or nothing that such a screen needs.
KEPT = {
    "Alert": "source_endpoint destination_endpoint host network user process file url domain message raw"
    " raw_bytes raw_cut origin offset decoder location native_id told"
    " user_agent",
    "Condition": "subject",
    "Rule": "groups revision references generator fired_times",
    "Triage": "reason owner changed_by",
    "ClientStatus": "reasons",
    "NodeStatus": "reasons",
    "Vitals": "agent_version hostname addresses agent_uptime_seconds agent_memory_bytes ledger system"
    " tailscale unknown",
    "Disk": "mountpoint",
    "SourceVitals": "name dropped rotations canary last_record",
    "SpoolVitals": "dropped",
    "Service": "unit detail",
    "TheHiveVitals": "version",
}


def reachable(message: Descriptor, seen: dict[str, Descriptor]) -> dict[str, Descriptor]:
    """Return the messages of ours that are sent within one, it included."""
    seen[message.name] = message
    for field in message.fields:
        inner = field.message_type
        sent = field.name in SENT.get(message.name, ())
        if inner is not None and sent and inner.file.package == "socme.v1" and inner.name not in seen:
            reachable(inner, seen)
    return seen


MESSAGES = reachable(FleetEvent.DESCRIPTOR, reachable(WatchEvent.DESCRIPTOR, {}))


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_field_of_the_contract_was_decided_on(name: str) -> None:
    """A new one must be put into redact.SENT or into KEPT above; until then no redacted screen gets it."""
    kept = set(KEPT.get(name, "").split())

    assert SENT[name].isdisjoint(kept)
    assert SENT[name] | kept == {field.name for field in MESSAGES[name].fields}


def test_nothing_is_decided_on_that_there_is_not() -> None:
    assert SENT.keys() == MESSAGES.keys()
    assert KEPT.keys() <= MESSAGES.keys()


def test_no_map_is_sent() -> None:
    """Its keys are texts, and nothing looks into them."""
    for name, message in MESSAGES.items():
        for field in message.fields:
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                assert field.name not in SENT[name]


def texts(message: Message) -> Iterator[str]:
    """Yield all strings of a message, as deep as they are."""
    for field, value in message.ListFields():
        many = (
            value if not isinstance(value, str | bytes | Message) and hasattr(value, "__iter__") else [value]
        )
        for one in many:
            if isinstance(one, Message):
                yield from texts(one)
            elif isinstance(one, str):
                yield f"{field.name}={one}"


def filled(message: Message, depth: int = 0) -> None:
    """Give every text of a message, as deep as they are, the same words."""
    for field in message.DESCRIPTOR.fields:
        inner = field.message_type
        repeated = not isinstance(getattr(message, field.name), str | bytes | int | float | Message)
        if inner is not None and inner.GetOptions().map_entry:
            continue
        if inner is not None and inner.file.package == "socme.v1" and depth < 8:
            filled(
                getattr(message, field.name).add() if repeated else getattr(message, field.name), depth + 1
            )
        elif field.type == field.TYPE_STRING and repeated:
            getattr(message, field.name).append("secret 192.0.2.9")
        elif field.type == field.TYPE_STRING:
            setattr(message, field.name, "secret 192.0.2.9")


@pytest.mark.parametrize("kind", [StoredAlert, TriageChange, NodeStatus])
def test_of_a_message_full_of_texts_only_known_ones_are_left(kind: type[Message]) -> None:
    message = kind()
    filled(message)
    REDACTION.apply(message)

    named = {text.partition("=")[0] for text in texts(message) if "secret" in text}
    assert named <= {
        *("client", "kind", "id", "name", "category"),
        *("technique_ids", "technique_names", "tactic_ids", "tactic_names"),
    }


def test_an_alert_keeps_what_happened() -> None:
    stored = StoredAlert(client="acme", node="dc1", triage=Triage(owner="jo", reason="dc1", comments=2))
    stored.alert.CopyFrom(
        Alert(
            id=b"i" * 16,
            source=AlertSource.ALERT_SOURCE_SURICATA,
            rule=Rule(id="2001", name="Scan of dc1 from 192.0.2.1", level=2),
            host=Host(name="dc1"),
            user="jo",
            raw=b"raw",
            count=7,
            source_endpoint=Endpoint(ip="192.0.2.1"),
            condition=Condition(kind="gap", subject="/var/log/eve.json"),
        )
    )
    REDACTION.apply(stored)

    assert stored == StoredAlert(
        client="acme",
        node=REDACTION.alias("acme", "dc1"),
        triage=Triage(comments=2),
        alert=Alert(
            id=b"i" * 16,
            source=AlertSource.ALERT_SOURCE_SURICATA,
            rule=Rule(id="2001", name="Scan of *** from ***", level=2),
            count=7,
            condition=Condition(kind="gap"),
        ),
    )


def test_a_node_keeps_how_it_is() -> None:
    status = NodeStatus(
        client="acme",
        node="dc1",
        reasons=["/var/log/eve.json cannot be read"],
        vitals=Vitals(
            hostname="dc1",
            addresses=["192.0.2.1"],
            cpu_usage=0.5,
            disks=[Disk(mountpoint="/srv/acme")],
            sources=[SourceVitals(name="/var/log/eve.json", kind="suricata", problem="no /var/log/eve.json")],
            spool=SpoolVitals(alerts=3),
            tailscale=TailscaleVitals(name="dc1.tail.ts.net"),
            unknown={"memory": "dc1"},
        ),
    )
    event = FleetEvent(node=status)
    REDACTION.apply(event)

    assert event.node == NodeStatus(
        client="acme",
        node=REDACTION.alias("acme", "dc1"),
        vitals=Vitals(
            cpu_usage=0.5,
            disks=[Disk()],
            sources=[SourceVitals(kind="suricata", problem=UNTOLD)],
            spool=SpoolVitals(alerts=3),
        ),
    )


def test_what_only_a_newer_node_knows_stays_at_the_hub() -> None:
    unknown = b"\xfa\x3f\x03dc1"  # field 1023, a text
    stored = StoredAlert.FromString(
        StoredAlert(alert=Alert(count=1)).SerializeToString()
        + unknown
        + StoredAlert(alert=Alert.FromString(unknown)).SerializeToString()
    )
    assert stored.SerializeToString().count(b"dc1") == 2
    REDACTION.apply(stored)

    assert b"dc1" not in stored.SerializeToString()


def test_a_nodes_other_name_stays_and_cannot_be_guessed() -> None:
    again, elsewhere = Redaction(b"s" * 16), Redaction(b"t" * 16)

    assert again.alias("acme", "dc1") == REDACTION.alias("acme", "dc1")
    assert REDACTION.alias("acme", "dc1") != REDACTION.alias("acme", "dc2")
    assert REDACTION.alias("acme", "dc1") != REDACTION.alias("beta", "dc1")
    assert REDACTION.alias("acme", "dc1") != elsewhere.alias("acme", "dc1")
