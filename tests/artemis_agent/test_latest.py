"""Only what is all of a lane behind a position is given."""

from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.latest import Latest
from socme.batch import Packed
from socme.journal import Entry

LANES = (1, 2)


def entry(position: int, lane: int) -> Entry:
    return Entry(position, "eve.json", lane, position, 0, Packed(b"", 3, 1, 0))


def test_where_nothing_was_committed_all_may_lie_elsewhere() -> None:
    assert Latest().behind(1, 0) is None


@given(st.lists(st.sampled_from(LANES)), st.integers(0, 20), st.integers(0, 25), st.sampled_from(LANES))
def test_what_is_given_is_what_lies_there(lanes: list[int], new: int, position: int, lane: int) -> None:
    """As a spool that is read from its begin gives it."""
    entries = [entry(number, each) for number, each in enumerate(lanes, start=1)]
    before = {
        each: max((one.position for one in entries[:new] if one.lane == each), default=0) for each in LANES
    }
    found = Latest(entries[new:], before).behind(lane, position)

    behind = [one for one in entries if one.lane == lane and one.position > position]
    assert found == (behind if position >= before[lane] else None)
