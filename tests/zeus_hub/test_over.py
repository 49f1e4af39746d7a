"""What the hub has cleared closes itself."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.batch import Packed
from socme.journal import Entry
from socme.v1.alert_pb2 import AlertSource, ConditionState, Severity
from socme.v1.watch_pb2 import StoredAlert, TriageStatus, Verdict
from tests.zeus_hub.stored import JOURNAL, NOON, database
from tests.zeus_hub.test_triage import LATER
from zeus_hub import alerts, triage
from zeus_hub.alerts import Filters
from zeus_hub.enrich import Arrival
from zeus_hub.over import ends
from zeus_hub.raising import Change, Key, Open
from zeus_hub.sinks.store import Store
from zeus_hub.telling import compose
from zeus_hub.triage import Ref

pytestmark = pytest.mark.usefixtures("both")

HIGH, CRITICAL = Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL
BLIND = Open("acme", "acme-1", "sensor_blind", "eve.json", NOON, HIGH, "no packets", HIGH)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def told(condition: Open, *, raised: bool, node: str = "acme-1") -> StoredAlert:
    """Return the alert that tells of a condition, as the store gets it."""
    time = NOON + timedelta(minutes=0 if raised else 5)
    made = StoredAlert(client="acme", node=node, alert=compose(Change(condition, raised=raised, time=time)))
    made.received.FromDatetime(time)
    return made


class Hub:
    """A store, and the conditions that the hub holds open."""

    def __init__(self, engine: Engine) -> None:
        self.open: set[tuple[Key, datetime]] = set()
        self._engine = engine
        self._store = Store(engine, JOURNAL, 1, lambda key, since: (key, since) in self.open)

    def keep(self, *some: StoredAlert) -> None:
        """Store alerts, of one node."""
        origin = f"{some[0].client}/{some[0].node}"
        entry = Entry(1, origin, 1, 1, 0, Packed(b"", 3, len(some), 0))
        self._store.send([self._store.prepare(Arrival(entry, some))])

    def statuses(self) -> Sequence[int]:
        """Return where the alerts stand, in the order in which they came."""
        found = sorted(alerts.find(self._engine, Filters()), key=lambda one: one.received.ToMicroseconds())
        return [one.triage.status for one in found]


CLOSED = TriageStatus.TRIAGE_STATUS_CLOSED


@pytest.mark.parametrize("together", [True, False])
def test_an_alert_that_raised_what_is_over_is_closed_and_so_is_the_one_that_says_so(
    engine: Engine,
    together: bool,  # noqa: FBT001 - a case
) -> None:
    hub = Hub(engine)
    both = [told(BLIND, raised=True), told(BLIND, raised=False)]
    for some in [both] if together else [[one] for one in both]:
        hub.keep(*some)

    assert hub.statuses() == [CLOSED, CLOSED]
    (found,) = alerts.find(engine, Filters(statuses=frozenset({CLOSED})), limit=1)
    assert (found.triage.verdict, found.triage.reason) == (Verdict.VERDICT_TRUE_POSITIVE, "over")
    assert found.triage.changed_by == "zeus"


def test_all_that_told_of_it_are_closed(engine: Engine) -> None:
    """It was told again when it became more severe."""
    worse = replace(BLIND, severity=CRITICAL, told=CRITICAL)
    hub = Hub(engine)
    hub.keep(told(BLIND, raised=True), told(worse, raised=True))
    hub.keep(told(worse, raised=False))

    assert hub.statuses() == [CLOSED] * 3


def test_what_is_of_another_time_subject_or_node_stays_open(engine: Engine) -> None:
    others = [
        replace(BLIND, since=NOON - timedelta(hours=1)),
        replace(BLIND, subject="other.json"),
        replace(BLIND, kind="source_silent"),
    ]
    hub = Hub(engine)
    hub.keep(*(told(one, raised=True) for one in others))
    hub.keep(told(BLIND, raised=True, node="acme-2"))
    hub.keep(told(BLIND, raised=False))

    assert sorted(hub.statuses()) == [0, 0, 0, 0, CLOSED]


def test_a_node_cannot_close_what_the_hub_holds_open(engine: Engine) -> None:
    """It may send what looks like the hub's word."""
    hub = Hub(engine)
    hub.open.add((BLIND.key, BLIND.since))
    hub.keep(told(BLIND, raised=True), told(BLIND, raised=False))

    assert hub.statuses() == [0, 0]


def test_what_a_person_has_closed_keeps_what_the_person_said(engine: Engine) -> None:
    hub = Hub(engine)
    raised = told(BLIND, raised=True)
    hub.keep(raised)
    refs = [Ref("acme", "acme-1", raised.alert.id)]
    triage.close(engine, refs, Verdict.VERDICT_BENIGN, "maintenance", by="ada", now=LATER)
    hub.keep(told(BLIND, raised=False))
    (found,) = alerts.with_id(engine, raised.alert.id.hex())

    assert (found.triage.reason, found.triage.changed_by) == ("maintenance", "ada")
    assert hub.statuses() == [CLOSED, CLOSED]


def test_only_the_hubs_word_of_an_end_ends_something() -> None:
    over = told(BLIND, raised=False)
    assert ends(over)
    assert not ends(told(BLIND, raised=True))
    over.alert.source = AlertSource.ALERT_SOURCE_WAZUH
    assert not ends(over)
    happened = told(BLIND, raised=False)
    happened.alert.condition.state = ConditionState.CONDITION_STATE_HAPPENED
    assert not ends(happened)
