"""A journal entry becomes alerts that everything behind it can rely on, whatever a node sent."""

import tracemalloc
from dataclasses import replace

import pytest
import zstandard

from socme.batch import Packed, pack
from socme.journal import Entry
from socme.v1.alert_pb2 import Alert
from tests.zeus_hub.kit import alert
from zeus_hub.enrich import LARGEST_ALERT, Arrival, Unreadable, enrich, time_us


def _entry(packed: Packed) -> Entry:
    return Entry(7, "acme/acme-1", 1, 3, 1_700_000_000_123_456, packed)


def _one(made: Alert) -> Alert:
    arrival = enrich(_entry(pack([made.SerializeToString()])))
    assert isinstance(arrival, Arrival)
    (stored,) = arrival.alerts
    return stored.alert


def test_client_node_and_arrival_come_from_the_journal() -> None:
    alerts = [alert(1), alert(2)]
    arrival = enrich(_entry(pack([made.SerializeToString() for made in alerts])))
    assert isinstance(arrival, Arrival)

    assert [(stored.client, stored.node) for stored in arrival.alerts] == [("acme", "acme-1")] * 2
    assert arrival.alerts[0].received.ToMicroseconds() == 1_700_000_000_123_456
    assert [stored.alert for stored in arrival.alerts] == alerts


def test_canaries_stand_apart_from_alerts() -> None:
    alerts = [alert(1), alert(2, canary={"number": 7}), alert(3), alert(4, canary={})]
    arrival = enrich(_entry(pack([made.SerializeToString() for made in alerts])))
    assert isinstance(arrival, Arrival)

    assert [stored.alert for stored in arrival.alerts] == [alerts[0], alerts[2]]
    assert [stored.alert for stored in arrival.canaries] == [alerts[1], alerts[3]]
    assert arrival.canaries[0].client == "acme"


def test_a_canary_that_is_too_large_is_still_one() -> None:
    made = alert(1, canary={"number": 7}, url="x" * LARGEST_ALERT)
    arrival = enrich(_entry(pack([made.SerializeToString()])))
    assert isinstance(arrival, Arrival)
    (stored,) = arrival.canaries

    assert arrival.alerts == []
    assert stored.alert.canary.number == 7
    assert stored.ByteSize() < LARGEST_ALERT


def test_times_that_do_not_exist_are_left_out_of_canaries_and_conditions_too() -> None:
    canary = alert(1, canary={"number": 1, "written": {"seconds": 2**62}})
    condition = alert(2, condition={"kind": "gap", "since": {"seconds": 2**62}})
    arrival = enrich(_entry(pack([canary.SerializeToString(), condition.SerializeToString()])))
    assert isinstance(arrival, Arrival)

    assert not arrival.canaries[0].alert.canary.HasField("written")
    assert not arrival.alerts[0].alert.condition.HasField("since")


@pytest.mark.parametrize(
    "packed",
    [
        Packed(b"junk", 3, 1, 10),
        Packed(pack([b"x"]).payload, 99, 1, 3),
        Packed(pack([b"\xff\xff\xff"]).payload, 3, 1, 5),
        Packed(pack([b""]).payload, 3, 2, 2),
        Packed(pack([b""] * 3).payload, 3, 1, 6),
    ],
)
def test_what_cannot_be_read_is_told_apart(packed: Packed) -> None:
    unreadable = enrich(_entry(packed))

    assert isinstance(unreadable, Unreadable)
    assert unreadable.reason


def test_an_alert_that_says_no_more_than_its_rule_says_that() -> None:
    assert _one(alert(1, message="", rule={"name": "the rule"})).message == "the rule"


def test_an_alert_without_a_proper_id_gets_one_that_is_always_the_same() -> None:
    made = alert(1)
    made.id = b"short"

    assert len(_one(made).id) == 16
    assert _one(made).id == _one(made).id != _one(alert(2)).id


def test_a_count_is_at_least_one() -> None:
    made = alert(1)
    made.count = 0

    assert _one(made).count == 1


@pytest.mark.parametrize(("seconds", "nanos"), [(2**62, 0), (-(2**62), 0), (0, -1), (0, 2**31 - 1)])
def test_a_time_that_does_not_exist_is_left_out(seconds: int, nanos: int) -> None:
    made = alert(1)
    for stamp in (made.time, made.first):
        stamp.seconds, stamp.nanos = seconds, nanos
    made.observed.FromMicroseconds(5)
    found = _one(made)

    assert not found.HasField("time")
    assert not found.HasField("first")
    assert found.observed.ToMicroseconds() == 5


def test_the_time_is_the_sensors_else_the_nodes_else_the_hubs() -> None:
    made = Alert()
    times = []
    for field in ("none", "observed", "time"):
        if field != "none":
            getattr(made, field).FromMicroseconds(len(field))
        arrival = enrich(_entry(pack([made.SerializeToString()])))
        assert isinstance(arrival, Arrival)
        times.append(time_us(arrival.alerts[0]))

    assert times == [1_700_000_000_123_456, len("observed"), len("time")]


def test_an_alert_that_fits_no_message_is_brought_down_to_its_heart() -> None:
    """No honest node sends one; a hostile one must not break the watchers' streams with it."""
    made = alert(1, 4)
    made.raw = bytes(LARGEST_ALERT)
    made.url = "u" * LARGEST_ALERT
    made.message = "m" * LARGEST_ALERT
    made.rule.groups.extend(["g"] * 1_000_000)
    found = _one(made)

    assert found.ByteSize() <= LARGEST_ALERT
    assert (found.id, found.severity, found.rule.id) == (made.id, 4, "1")
    assert found.raw_cut
    assert found.raw_bytes == LARGEST_ALERT


def test_a_rules_name_that_becomes_the_message_too_keeps_the_bound() -> None:
    """What comes fits; with its name twice it would not."""
    made = alert(1, message="", rule={"name": "n" * (LARGEST_ALERT * 3 // 4)})
    found = _one(made)

    assert made.ByteSize() <= LARGEST_ALERT
    assert found.ByteSize() <= LARGEST_ALERT
    assert found.rule.name.startswith(found.message)
    assert found.message


def test_an_alert_as_large_as_an_honest_node_sends_stays_whole() -> None:
    made = alert(1)
    made.raw = b"\xff" * 1024 * 1024
    made.message = "m" * 2 * 1024 * 1024

    assert _one(made) == made


def test_what_this_hub_does_not_know_stays_in_the_alert() -> None:
    plain = alert(1).SerializeToString() + b"\xfa\x07\x03abc"  # field 127

    assert _one(Alert.FromString(plain)).SerializeToString() == plain


def test_a_few_bytes_cannot_become_any_amount_of_memory() -> None:
    """A million empty alerts take a kilobyte on the wire and would take 300 MB here."""
    packed = pack([b""] * 1_000_000)
    tracemalloc.start()
    unreadable = enrich(_entry(replace(packed, alerts=10)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(unreadable, Unreadable)
    assert "claims 10" in unreadable.reason
    assert most < 5 * packed.decoded_bytes


def test_a_batch_may_carry_fields_that_this_hub_does_not_know() -> None:
    """Of each wire type, before and behind the alerts."""
    inner = alert(1).SerializeToString()
    plain = b"\x78\x96\x01" + b"\x0a" + bytes([len(inner)]) + inner
    plain += b"\x79" + bytes(8) + b"\x7a\x02ab" + b"\x7d" + bytes(4)
    payload = zstandard.ZstdCompressor().compress(plain)

    assert isinstance(enrich(_entry(Packed(payload, 3, 1, len(plain)))), Arrival)


@pytest.mark.parametrize(
    ("sent", "kept"), [(4, 4), (42, 42), (100, 0), (2**31 - 1, 0), (-1, 0), (-(2**31), 0)]
)
def test_there_are_few_severities_whatever_a_node_sends(sent: int, kept: int) -> None:
    """Counts by severity go to every screen: a node that made up millions of them would blind all."""
    made = alert(1)
    made.severity = sent  # type: ignore[assignment]

    assert _one(made).severity == kept


def test_protobuf_never_makes_twice_the_bytes_of_what_came() -> None:
    """So it is not asked how large an alert is of which few bytes came: these are the worst."""
    minus_one = b"\xff\xff\xff\xff\x0f"  # of 32 bits; protobuf writes 64
    for came in (
        b"\x28" + minus_one,  # severity
        b"\x32\x06\x18" + minus_one,  # rule.level
        b"\x5a\x02\x30\x07",  # network.vlans, as older programs write a list
    ):
        assert len(came) < Alert.FromString(came).ByteSize() < 2 * len(came)
