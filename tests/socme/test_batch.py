"""Batches: what was packed comes back; what was not is refused without filling the memory."""

import time
from dataclasses import replace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from socme import batch, compression
from socme.batch import BatchError, pack, split, unpack, verify
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Alerts, Encoding

ALERTS = [Alert(message="a", raw=b"\xff\x00" * 5000), Alert(), Alert(count=3)]
PACKED = pack([alert.SerializeToString() for alert in ALERTS])


def test_what_is_packed_comes_back() -> None:
    assert list(unpack(PACKED)) == ALERTS
    assert PACKED.alerts == 3
    assert len(PACKED.payload) < PACKED.decoded_bytes
    assert list(unpack(pack([]))) == []


@given(st.lists(st.binary(max_size=300).map(lambda raw: Alert(raw=raw))))
def test_joined_as_protobuf_would_join(alerts: list[Alert]) -> None:
    """An agent in any language may pack by its own library."""
    packed = pack([alert.SerializeToString() for alert in alerts])
    plain = Alerts(alerts=alerts).SerializeToString()

    assert packed.decoded_bytes == len(plain)
    assert compression.decompress(packed.payload, most=len(plain)) == plain


ALERTS_WITH_IDS = st.lists(
    st.builds(Alert, id=st.binary(min_size=16, max_size=16), raw=st.binary(max_size=300)), min_size=2
)


@given(ALERTS_WITH_IDS)
def test_ids_stand_before_the_alerts_and_come_back_to_them(alerts: list[Alert]) -> None:
    packed = pack([alert.SerializeToString() for alert in alerts])
    plain = Alerts(ids=b"".join(alert.id for alert in alerts))
    plain.alerts.extend(Alert(raw=alert.raw) for alert in alerts)

    assert Alerts.FromString(compression.decompress(packed.payload, most=packed.decoded_bytes)) == plain
    assert list(unpack(packed)) == alerts
    assert split(packed) == [alert.SerializeToString() for alert in alerts]


@given(ALERTS_WITH_IDS, st.binary(max_size=20).filter(lambda other: len(other) != 16))
def test_where_an_id_is_another_than_usual_each_alert_keeps_its_own(
    alerts: list[Alert], other: bytes
) -> None:
    alerts[-1].id = other

    assert list(unpack(pack([alert.SerializeToString() for alert in alerts]))) == alerts


@pytest.mark.parametrize("size", [1, 47, 49, 64])
def test_ids_of_other_alerts_are_refused(size: int) -> None:
    plain = Alerts(alerts=ALERTS, ids=bytes(size)).SerializeToString()

    with pytest.raises(BatchError, match=f"holds {size} bytes of ids for 3 alerts"):
        unpack(replace(PACKED, payload=zstandard.compress(plain), decoded_bytes=len(plain)))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (replace(PACKED, encoding=Encoding.ENCODING_UNSPECIFIED), "unknown encoding 0"),
        (replace(PACKED, encoding=77), "unknown encoding 77"),
        (replace(PACKED, alerts=2), "claims 2"),
        (replace(PACKED, alerts=4), "holds 3 alerts, claims 4"),
        (replace(PACKED, decoded_bytes=PACKED.decoded_bytes - 1), "size differs"),
        (replace(PACKED, decoded_bytes=batch.LARGEST_DECODED + 1), "more than"),
        (replace(PACKED, payload=b""), "cannot be decompressed"),
        (replace(PACKED, payload=b"not zstd at all"), "cannot be decompressed"),
        (replace(PACKED, payload=PACKED.payload[:-9]), "cannot be decompressed"),
    ],
)
def test_what_is_not_what_it_claims_is_refused(bad: batch.Packed, message: str) -> None:
    with pytest.raises(BatchError, match=message):
        unpack(bad)


def test_a_frame_that_hides_its_size_is_refused() -> None:
    """It could grow without end."""
    compressor = zstandard.ZstdCompressor(write_content_size=False)
    plain = Alerts(alerts=ALERTS).SerializeToString()

    with pytest.raises(BatchError, match="size differs"):
        unpack(replace(PACKED, payload=compressor.compress(plain)))


@pytest.mark.parametrize(
    "plain",
    [
        b"\xff" * 100,
        b"\x0a\x05ab",  # an alert that ends beyond the end
        b"\x0a\x02\xff\xff",  # an alert that is none
        b"\x0b",  # a group, which proto3 does not have
        b"\xff" * 8_000_000,  # a number that never ends must not be computed
    ],
    ids=["noise", "cut", "bad alert", "group", "endless number"],
)
def test_a_payload_that_holds_something_else_is_refused(plain: bytes) -> None:
    bad = replace(PACKED, payload=zstandard.compress(plain), decoded_bytes=len(plain), alerts=1)
    begun = time.monotonic()

    with pytest.raises(BatchError):
        unpack(bad)

    assert time.monotonic() - begun < 10


def test_fields_of_a_newer_node_are_let_be() -> None:
    plain = (
        Alerts(alerts=ALERTS).SerializeToString() + b"\xa2\x06\x03abc\xa8\x06\x01\xad\x06abcd\xa9\x06abcdefgh"
    )
    newer = replace(PACKED, payload=zstandard.compress(plain), decoded_bytes=len(plain))

    assert list(unpack(newer)) == ALERTS


@given(st.binary(max_size=200))
def test_no_payload_raises_anything_else(payload: bytes) -> None:
    with pytest.raises(BatchError):
        unpack(replace(PACKED, payload=payload))


@given(st.integers(0, 8 * len(PACKED.payload) - 1))
def test_a_bit_that_turned_is_noticed(bit: int) -> None:
    """Or it is one that carries nothing: what a batch holds is never another without a word."""
    payload = bytearray(PACKED.payload)
    payload[bit // 8] ^= 1 << bit % 8
    changed = replace(PACKED, payload=bytes(payload))
    verify(PACKED)

    try:
        verify(changed)
    except BatchError:
        return
    assert list(unpack(changed)) == ALERTS


def test_one_without_its_checksum_is_not_sound() -> None:
    plain = compression.decompress(PACKED.payload, most=PACKED.decoded_bytes)

    with pytest.raises(BatchError, match="lost its checksum"):
        verify(replace(PACKED, payload=zstandard.ZstdCompressor().compress(plain)))
