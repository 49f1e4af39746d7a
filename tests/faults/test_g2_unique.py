"""G2: the hub's store holds each event exactly once; the same id means the same bytes."""

from collections import Counter

import pytest

from tests.faults.lines import number_of
from tests.faults.proof import Proof, prove

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.play(of=prove)]


def test_each_once(outcome: Proof) -> None:
    assert set(Counter(number_of(row.raw) for row in outcome.evidence.stored).values()) == {1}
    assert set(Counter(row.id for row in outcome.evidence.stored).values()) == {1}


def test_some_came_more_than_once(outcome: Proof) -> None:
    """Or nothing would be proved: lines were sent again, and known by their ids."""
    assert outcome.books.repeated > 0
