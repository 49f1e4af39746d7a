"""Which batches are on which track, against a list of all."""

from hypothesis import given
from hypothesis import strategies as st

from socme.v1.uplink_pb2 import Lane
from zeus_hub import tracks
from zeus_hub.tracks import Cursor, Place, Recent, at, is_urgent

URGENT, NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL


@given(st.lists(st.sampled_from((URGENT, NORMAL, 0, 7)), max_size=60), st.integers(1, 20))
def test_the_next_of_a_track_is_the_first_that_is_there(lanes: list[int], most: int) -> None:
    """Every lane but the urgent one is on the other track; at the bound the older half is forgotten."""
    before, tracks.MOST = tracks.MOST, most
    try:
        recent = Recent(floor=1)
        for position, lane in enumerate(lanes, start=1):
            recent.add([(position, lane)])
    finally:
        tracks.MOST = before
    for urgent in (True, False):
        for position in range(recent.floor, len(lanes) + 2):
            wanted = [
                number
                for number, lane in enumerate(lanes, start=1)
                if number >= position and is_urgent(lane) == urgent
            ]
            assert recent.next(position, urgent=urgent) == (wanted[0] if wanted else None)
    assert len(lanes) - recent.floor < 2 * most


def test_a_place_moves_on_one_track() -> None:
    place = at(5).moved(Cursor(7, 1), urgent=True)

    assert place == Place(Cursor(7, 1), Cursor(5))
    assert place.on(urgent=True) == Cursor(7, 1)
    assert place.moved(Cursor(6), urgent=False) == Place(Cursor(7, 1), Cursor(6))
