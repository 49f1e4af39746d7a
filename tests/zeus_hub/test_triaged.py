"""One deed, from one state to the next."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from socme.v1.watch_pb2 import Verdict
from tests.zeus_hub.stored import NOON
from zeus_hub import triaged
from zeus_hub.triaged import Deed, State

pytestmark = pytest.mark.usefixtures("both")

FALSE = Verdict.VERDICT_FALSE_POSITIVE
DEEDS: list[Callable[[], Deed]] = [
    lambda: triaged.acknowledge("ada", NOON),
    lambda: triaged.assign("bob", "ada", NOON),
    lambda: triaged.close(FALSE, "noise", "ada", NOON),
    lambda: triaged.reopen("ada", NOON),
]


@pytest.mark.parametrize(
    ("deed", "before", "after"),
    [
        (triaged.acknowledge("ada", NOON), State(), State(ACKNOWLEDGED, owner="ada")),
        (triaged.acknowledge("ada", NOON), State(owner="bob"), State(ACKNOWLEDGED, owner="bob")),
        (
            triaged.acknowledge("ada", NOON),
            State(ACKNOWLEDGED, owner="bob"),
            State(ACKNOWLEDGED, owner="bob"),
        ),
        (triaged.acknowledge("ada", NOON), State(CLOSED, FALSE, "x"), State(CLOSED, FALSE, "x")),
        (triaged.assign("bob", "ada", NOON), State(), State(NEW, owner="bob")),
        (triaged.close(FALSE, "x", "ada", NOON), State(owner="bob"), State(CLOSED, FALSE, "x", "bob")),
        (
            triaged.reopen("ada", NOON),
            State(CLOSED, FALSE, "x", "bob", 3),
            State(NEW, owner="bob", comments=3),
        ),
        (triaged.reopen("ada", NOON), State(ACKNOWLEDGED), State(ACKNOWLEDGED)),
        (triaged.comment("hm", "ada", NOON), State(CLOSED, comments=1), State(CLOSED, comments=2)),
    ],
)
def test_what_a_deed_leads_to(deed: Deed, before: State, after: State) -> None:
    assert deed.step(before) == after


@given(
    st.sampled_from(DEEDS),
    st.builds(
        State,
        st.sampled_from([NEW, ACKNOWLEDGED, CLOSED]),
        st.integers(0, 4),
        st.text(max_size=3),
        st.text(max_size=3),
        st.integers(0, 3),
    ),
)
def test_doing_it_twice_is_doing_it_once(make: Callable[[], Deed], state: State) -> None:
    once = make().step(state)

    assert make().step(once) == once
