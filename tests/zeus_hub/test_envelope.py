"""Which batches the hub takes, and whose fault it is where it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.batch import pack
from socme.v1.uplink_pb2 import AlertBatch, Dropped, Encoding
from tests.zeus_hub.kit import alert, message
from zeus_hub import envelope
from zeus_hub.envelope import LARGEST_BATCH, MOST_ALERTS, Fault
from zeus_hub.marks import GivenUp


def _dropped(sequence: int = 9, alerts: int = 0, **fields: object) -> AlertBatch:
    dropped = Dropped(**{"first_sequence": 3, "alerts": 70, "reason": "age", **fields})  # type: ignore[arg-type]
    return AlertBatch(
        sequence=sequence,
        encoding=Encoding.ENCODING_DROPPED,
        payload=dropped.SerializeToString(),
        alerts=alerts,
    )


def test_an_honest_batch_meets_no_objection() -> None:
    batch = message(1, pack([alert(1).SerializeToString()]))

    assert envelope.objection(batch) is None
    assert envelope.given_up(batch) is None


@pytest.mark.parametrize(
    ("changes", "fault", "words"),
    [
        ({"encoding": 77}, Fault.AGE, "update the hub"),
        ({"encoding": 0}, Fault.AGE, "update the hub"),
        ({"lane": 16}, Fault.CONTRACT, "lane 16"),
        ({"lane": -1}, Fault.CONTRACT, "lane -1"),
        ({"sequence": 0}, Fault.CONTRACT, "sequence 0"),
        ({"sequence": 2**63}, Fault.CONTRACT, "out of range"),
        ({"decoded_bytes": LARGEST_BATCH + 1}, Fault.BATCH, "too large"),
        ({"alerts": MOST_ALERTS + 1}, Fault.BATCH, "too large"),
        ({"alerts": 0}, Fault.BATCH, "without alerts"),
        ({"payload": b""}, Fault.BATCH, "without alerts"),
    ],
)
def test_an_objection_says_whose_fault_it_is(
    changes: dict[str, int | bytes], fault: Fault, words: str
) -> None:
    batch = message(1, pack([alert(1).SerializeToString()]))
    for name, value in changes.items():
        setattr(batch, name, value)
    found = envelope.objection(batch)

    assert found is not None
    assert found.fault is fault
    assert words in found.reason


def test_what_was_given_up_is_read() -> None:
    batch = _dropped(reason="dropped\x1b[2J" + "x" * 100)
    found = envelope.given_up(batch)

    assert envelope.objection(batch) is None
    assert found is not None
    assert (found.first_sequence, found.alerts) == (3, 70)
    assert "\x1b" not in found.reason
    assert len(found.reason) <= envelope.LONGEST_REASON


def test_a_reason_that_is_left_out_gets_a_name() -> None:
    assert envelope.given_up(_dropped(reason="")) == GivenUp(3, 70, "unknown")


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (_dropped(first_sequence=10), "not before it"),
        (_dropped(first_sequence=0), "not before it"),
        (_dropped(alerts=1), "holds alerts"),
        (_dropped(reason="x" * 2000), ""),
        (AlertBatch(sequence=1, encoding=Encoding.ENCODING_DROPPED, payload=b"\xff"), "cannot be read"),
        (AlertBatch(sequence=1, encoding=Encoding.ENCODING_DROPPED), "not before it"),
    ],
)
def test_what_says_nothing_sound_of_what_was_given_up_is_refused(batch: AlertBatch, words: str) -> None:
    found = envelope.objection(batch)

    assert found is not None
    assert found.fault is Fault.BATCH
    assert words in found.reason


@given(
    st.builds(
        AlertBatch,
        lane=st.integers(-(2**31), 2**31 - 1),
        sequence=st.integers(0, 2**64 - 1),
        encoding=st.integers(-2, 3),
        payload=st.binary(max_size=40)
        | st.builds(
            lambda first, alerts: Dropped(first_sequence=first, alerts=alerts).SerializeToString(),
            st.integers(0, 2**64 - 1),
            st.integers(0, 2**64 - 1),
        ),
        alerts=st.integers(0, 2**32 - 1),
        decoded_bytes=st.integers(0, 2**64 - 1),
    )
)
def test_any_envelope_is_judged_and_what_is_taken_can_be_read(batch: AlertBatch) -> None:
    if envelope.objection(batch) is None:
        found = envelope.given_up(batch)
        assert (found is None) == (batch.encoding == Encoding.ENCODING_ZSTD)
