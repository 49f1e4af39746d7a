"""Records become complete alerts, are no alerts, or say why they cannot be read; never with an error.

Real and odd input is in test_normalise_corpora.py.
"""

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.normalise import LARGEST_RAW, Normalised, NotAnAlert, Undecodable, normalise
from artemis_agent.source import Kind, Record
from artemis_agent.values import LONGEST_TEXT
from socme.v1.alert_pb2 import Alert

NOW = datetime(2026, 11, 22, 19, 3, 36, 500_000, tzinfo=UTC)
KINDS: tuple[Kind, Kind] = ("suricata", "wazuh")
SURICATA = {
    "timestamp": "2026-11-16T06:06:14.109831+0000",
    "flow_id": 478019051995494,
    "event_type": "alert",
    "vlan": [7],
    "src_ip": "192.0.2.1",
    "src_port": 50123,
    "dest_ip": "2001:db8::1",
    "dest_port": 443,
    "proto": "TCP",
    "ether": {"src_mac": "02:00:00:00:00:01"},
    "alert": {
        "action": "allowed",
        "signature_id": 9000001,
        "severity": 2,
        "references": ["x"],
        "metadata": {
            "mitre_technique_id": ["T1071"],
            "cve": ["CVE_2099_0001"],
            "signature_severity": ["Major"],
        },
    },
    "http": {"hostname": "x.example", "http_port": 80, "url": "/"},
    "dns": {"query": [{"rrname": "x.example"}]},
    "files": [{"filename": "x"}],
}
WAZUH = {
    "timestamp": "2026-11-16T06:28:33.723+0000",
    "rule": {
        "level": 3,
        "description": "Suricata: Alert - EXAMPLE",
        "id": "86601",
        "firedtimes": 1,
        "groups": ["ids", "suricata"],
        "mitre": {"id": ["T1071"], "tactic": [], "technique": ["x"]},
    },
    "agent": {"id": "000", "name": "m"},
    "syscheck": {"path": "/x", "md5_after": "d4"},
    "decoder": {"name": "json"},
    "data": {**SURICATA, "win": {"eventdata": {"image": "x"}}, "audit": {"auid": "5"}},
    "location": "x",
}


def outcome(raw: bytes, kind: Kind, offset: int = 0) -> Normalised | NotAnAlert | Undecodable:
    return normalise(Record(raw, b"file-1", offset), kind=kind, origin="/var/log/x.json", observed=NOW)


def alert(fields: Mapping[str, object], kind: Kind = "suricata") -> Alert:
    found = outcome(json.dumps(fields).encode(), kind)
    assert isinstance(found, Normalised)
    return found.alert


def test_an_alert_says_where_and_when_it_was_read() -> None:
    raw = json.dumps(SURICATA).encode()
    found = outcome(raw, "suricata", offset=4096)
    assert isinstance(found, Normalised)
    made = found.alert
    assert (made.origin, made.offset, made.count) == ("/var/log/x.json", 4096, 1)
    assert (made.raw, made.raw_bytes, made.raw_cut) == (raw, 0, False)
    assert made.observed.ToJsonString() == "2026-11-22T19:03:36.500Z"
    assert not made.HasField("first")
    assert not made.HasField("last")


def test_the_id_stands_for_kind_source_file_place_and_line() -> None:
    raw = json.dumps(SURICATA).encode()
    found = outcome(raw, "suricata", offset=4096)
    assert isinstance(found, Normalised)
    place = b"suricata\x00/var/log/x.json\x00file-1" + (4096).to_bytes(8, "big") + raw
    assert found.alert.id[3:] == blake2b(place, digest_size=13).digest()


@pytest.mark.parametrize("raw", [SURICATA, WAZUH])
def test_an_id_begins_with_the_seconds_of_the_line(raw: dict[str, object]) -> None:
    found = outcome(json.dumps(raw).encode(), "suricata" if raw is SURICATA else "wazuh")
    assert isinstance(found, Normalised)
    assert found.alert.id[:3] == found.alert.time.seconds.to_bytes(8, "big")[-3:] != bytes(3)


@pytest.mark.parametrize("time", [None, "yesterday", "2026-11-16T06:28:33"])
def test_the_id_of_a_line_without_a_time_is_the_same_whenever_it_is_read(time: str | None) -> None:
    record = Record(json.dumps({**SURICATA, "timestamp": time}).encode(), b"file-1", 0)
    ids = set()
    for observed in (NOW, NOW + timedelta(days=1)):
        found = normalise(record, kind="suricata", origin="x", observed=observed)
        assert isinstance(found, Normalised)
        ids.add(found.alert.id)
    (one,) = ids
    assert one[:3] == bytes(3)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_no_clock_is_too_wrong_for_an_id(time: str) -> None:
    found = outcome(json.dumps({**SURICATA, "timestamp": time}).encode(), "suricata")
    assert isinstance(found, Normalised)
    assert len(found.alert.id) == 16


def test_only_the_same_line_of_the_same_place_has_the_same_id() -> None:
    raw = json.dumps({**SURICATA, **WAZUH}).encode()
    places = [
        (raw, b"f", 0, "suricata", "x"),
        (raw, b"f", 1, "suricata", "x"),
        (raw, b"g", 0, "suricata", "x"),
    ]
    places += [(raw + b" ", b"f", 0, "suricata", "x"), (raw, b"f", 0, "wazuh", "x")]
    places += [(raw, b"f", 0, "suricata", "y")]
    ids = set()
    for line, file, offset, kind, origin in places * 2:
        found = normalise(Record(line, file, offset), kind=kind, origin=origin, observed=NOW)  # type: ignore[arg-type]
        assert isinstance(found, Normalised)
        ids.add(found.alert.id)
    assert len(ids) == len(places)


def test_a_line_over_the_bound_is_cut_and_its_id_is_that_of_the_whole() -> None:
    head = json.dumps({**SURICATA, "payload": "x" * 3 * LARGEST_RAW}).encode()
    one, other = outcome(head, "suricata"), outcome(head + b" ", "suricata")
    assert isinstance(one, Normalised)
    assert isinstance(other, Normalised)
    assert one.alert.raw == head[:LARGEST_RAW]
    assert (one.alert.raw_bytes, one.alert.raw_cut) == (len(head), True)
    assert one.alert.id != other.alert.id


def test_a_line_of_exactly_the_bound_is_whole() -> None:
    bare = len(json.dumps({**SURICATA, "payload": ""}))
    made = alert({**SURICATA, "payload": "x" * (LARGEST_RAW - bare)})
    assert (len(made.raw), made.raw_cut) == (LARGEST_RAW, False)


def test_the_largest_alert_fits_a_message_by_far() -> None:
    """By default gRPC refuses messages over 4 MiB by default, and with one the whole stream."""

    def swollen(value: object) -> object:
        if isinstance(value, dict):
            return {key: swollen(each) for key, each in value.items()}
        return (
            [f"{number} " + "é" * 5000 for number in range(300)] if isinstance(value, list) else "é" * 50_000
        )

    for fields, kind, kept in ((SURICATA, "suricata", ("event_type",)), (WAZUH, "wazuh", ())):
        big = swollen(fields)
        assert isinstance(big, dict)
        big |= {key: fields[key] for key in kept}
        made = alert(big, kind)  # type: ignore[arg-type]
        assert made.raw_cut
        assert len(made.SerializeToString()) < 2 * LARGEST_RAW


def test_suricata_alerts_have_a_key_and_their_copies_name_it() -> None:
    original, copied = (
        outcome(json.dumps(SURICATA).encode(), "suricata"),
        outcome(json.dumps(WAZUH).encode(), "wazuh"),
    )
    assert isinstance(original, Normalised)
    assert isinstance(copied, Normalised)
    assert (original.copy_of, copied.copy_key) == (None, None)
    assert original.copy_key == copied.copy_of is not None


def check(raw: bytes) -> None:
    for kind in KINDS:
        found = outcome(raw, kind)
        if isinstance(found, Normalised):
            assert found.alert.raw == raw[:LARGEST_RAW]
            again = Alert.FromString(found.alert.SerializeToString())
            assert again == found.alert
            assert "\x00" not in str(again.rule) + again.message
            assert len(again.message.encode()) <= LONGEST_TEXT
            again.time.ToJsonString()  # raises where it is out of bounds
        elif isinstance(found, Undecodable):
            assert found.reason


@given(st.binary(max_size=500))
def test_any_bytes(raw: bytes) -> None:
    check(raw)


ANY_TEXT = st.text(alphabet=st.characters(), max_size=30)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | ANY_TEXT
    | st.text(alphabet="0123456789-+:.TZ", max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ANY_TEXT, inner, max_size=5),
    max_leaves=10,
)


@given(ANY_JSON)
def test_any_json(value: object) -> None:
    check(json.dumps(value).encode())


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [path, *(place for key, each in inner for place in _places(each, (*path, key)))]
        if path
        else [place for key, each in inner for place in _places(each, (key,))]
    )


@pytest.mark.parametrize("sample", [SURICATA, WAZUH])
@given(data=st.data())
def test_any_value_in_any_field(sample: dict[str, Any], data: st.DataObject) -> None:
    """Every field that is read gets values of every type, several at a time."""
    fields: Any = copy.deepcopy(sample)
    for path in data.draw(st.lists(st.sampled_from(_places(sample)), min_size=1, max_size=4)):
        inner = fields
        try:
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = data.draw(ANY_JSON)
        except (TypeError, KeyError, IndexError):
            continue  # a place inside one that was replaced before
    check(json.dumps(fields).encode())


@given(data=st.data())
def test_real_lines_with_bytes_changed_cut_or_doubled(real_lines: list[bytes], data: st.DataObject) -> None:
    line = bytearray(data.draw(st.sampled_from(real_lines)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(line)))
        end = data.draw(st.integers(start, min(len(line), start + 40)))
        line[start:end] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"", b'"', b"\\u0000", b"\xff", b"{"])
        )
    check(bytes(line))


@pytest.fixture(scope="session")
def real_lines(corpora: Path) -> list[bytes]:
    lines = [line for name in ("eve-rich.json", "alerts.json") for line in read_lines(corpora / "dev" / name)]
    return [line for line in lines if len(line) < 5000][::20]


def read_lines(path: Path) -> list[bytes]:
    return path.read_bytes().removesuffix(b"\n").split(b"\n")
