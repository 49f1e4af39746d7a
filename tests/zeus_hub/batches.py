"""Batches as they are handed in, for tests that need no node."""

from collections.abc import Callable

from socme.batch import Packed
from socme.journal import Draft
from socme.v1.uplink_pb2 import Dropped, Encoding
from zeus_hub.journalist import Handed
from zeus_hub.marks import GivenUp

EPOCH = b"e" * 16
NODE = "acme/acme-1"


def handed(
    sequence: int,
    *,
    lane: int = 1,
    origin: str = NODE,
    epoch: bytes = EPOCH,
    payload: bytes = bytes(10),
    alerts: int = 1,
    before: int | None = None,
    acknowledge: Callable[[int, int], None] = lambda lane, sequence: None,
    wanted: Callable[[], bool] = lambda: True,
) -> Handed:
    """Return a batch of a node; it says that all batches before it held as many alerts as it does."""
    packed = Packed(payload, Encoding.ENCODING_ZSTD, alerts, len(payload))
    counted = (sequence - 1) * alerts if before is None else before
    return Handed(Draft(origin, lane, sequence, packed), epoch, acknowledge, before=counted, wanted=wanted)


def given_up(first: int, last: int, alerts: int, before: int, reason: str = "age") -> Handed:
    """Return what stands in a lane in place of batches that the node gave up."""
    payload = Dropped(first_sequence=first, alerts=alerts, reason=reason).SerializeToString()
    packed = Packed(payload, Encoding.ENCODING_DROPPED, 0, 0)
    return Handed(
        Draft(NODE, 1, last, packed),
        EPOCH,
        lambda lane, sequence: None,
        before=before,
        given_up=GivenUp(first, alerts, reason),
    )
