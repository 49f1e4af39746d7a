"""G1: every line that passes the filter reaches the hub's store.

It must have been complete on disk while the agent ran, or still be there when it starts again; whatever is
killed, cut off or rotated meanwhile.

Here one plan of everything usual; every fault there is, by seeds, is in test_seeds.py and `make soak`.
"""

import pytest

from tests.faults.judge import complaints
from tests.faults.lines import number_of
from tests.faults.proof import PLAN, Proof, prove

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.play(of=prove)]


def test_everything_that_was_written_is_stored(outcome: Proof) -> None:
    """Byte for byte, without a single gap, though both were killed and logs rotated while nobody read."""
    evidence = outcome.evidence
    assert len(evidence.issued) >= PLAN.alerts
    assert {number_of(row.raw): row.raw for row in evidence.stored} == {
        issued.number: issued.raw for issued in evidence.issued.values()
    }
    assert evidence.gaps == []
    assert complaints(evidence) == []
