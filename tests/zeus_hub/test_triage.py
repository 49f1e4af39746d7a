"""What people do about alerts, against a simple model of it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from socme.errors import OperatorError
from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import StoredAlert, TriageStatus, Verdict
from tests.zeus_hub import engines
from tests.zeus_hub.engines import url
from tests.zeus_hub.stored import NOON, alert, database, keep
from zeus_hub import alerts, audit, schema, slots, snapshot, triage
from zeus_hub.alerts import Filters
from zeus_hub.database import reading
from zeus_hub.snapshot import View
from zeus_hub.triage import Outcome, Ref

pytestmark = pytest.mark.usefixtures("both")

NEW, ACKNOWLEDGED, CLOSED = (
    TriageStatus.TRIAGE_STATUS_NEW,
    TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED,
    TriageStatus.TRIAGE_STATUS_CLOSED,
)
FALSE, TRUE = Verdict.VERDICT_FALSE_POSITIVE, Verdict.VERDICT_TRUE_POSITIVE
LATER = NOON + timedelta(hours=2)
ALL = View(None, 0, with_raw=False, alerts=1000)
SOME = [
    alert(1, severity=Severity.SEVERITY_LOW),
    alert(2, severity=Severity.SEVERITY_HIGH),
    alert(3, severity=Severity.SEVERITY_HIGH, place="beta/beta-1"),
    alert(4, severity=Severity.SEVERITY_CRITICAL, rule="7"),
]


def ref(number: int, place: str = "acme/acme-1") -> Ref:
    client, node = place.split("/")
    return Ref(client, node, number.to_bytes(16))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    keep(made, SOME)
    yield made
    made.dispose()


def stored(engine: Engine, number: int) -> StoredAlert:
    (found,) = alerts.with_id(engine, f"{number:032x}")
    return found


def counts(engine: Engine, now: datetime = LATER) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
    """Return what a snapshot says is open and fresh, by client."""
    found = snapshot.take(engine, ALL, now=now).snapshot
    return {
        one.client: (
            {count.severity: count.alerts for count in one.open},
            {count.severity: count.alerts for count in one.fresh},
        )
        for one in found.clients
    }


def test_an_alert_from_its_beginning_to_its_end(engine: Engine) -> None:
    assert not stored(engine, 2).HasField("triage")
    assert triage.acknowledge(engine, [ref(2)], by="ada", now=LATER) == Outcome(1, 1)
    found = stored(engine, 2).triage
    assert (found.status, found.owner, found.changed_by) == (ACKNOWLEDGED, "ada", "ada")
    assert found.changed.ToDatetime(LATER.tzinfo) == LATER

    triage.assign(engine, [ref(2)], "bob", by="ada", now=LATER)
    triage.comment(engine, [ref(2)], "seen  it\nbefore", by="ada", now=LATER)
    triage.close(engine, [ref(2)], FALSE, "a scan of ours", by="ada", now=LATER)
    found = stored(engine, 2).triage
    assert (found.status, found.verdict, found.reason) == (CLOSED, FALSE, "a scan of ours")
    assert (found.owner, found.comments) == ("bob", 1)

    triage.reopen(engine, [ref(2)], by="ada", now=LATER)
    found = stored(engine, 2).triage
    assert (found.status, found.verdict, found.reason, found.owner) == (NEW, 0, "", "bob")
    told = [(one.action, one.after.status, one.text) for one in triage.history(engine, ref(2))]
    assert told == [
        ("acknowledge", ACKNOWLEDGED, ""),
        ("assign", ACKNOWLEDGED, ""),
        ("comment", ACKNOWLEDGED, "seen it before"),
        ("close", CLOSED, ""),
        ("reopen", NEW, ""),
    ]


def test_what_is_so_already_changes_nothing(engine: Engine) -> None:
    """And is not written down: neither for the alert nor in the audit log."""
    for _ in range(2):
        triage.acknowledge(engine, [ref(1)], by="ada", now=LATER)
        triage.assign(engine, [ref(1)], "ada", by="bob", now=LATER)
    triage.reopen(engine, [ref(1)], by="bob", now=LATER)
    assert len(triage.history(engine, ref(1))) == len(audit.entries(engine)) == 1
    for _ in range(2):
        triage.close(engine, [ref(1)], TRUE, "so it was", by="bob", now=LATER)
    assert triage.acknowledge(engine, [ref(1)], by="ada", now=LATER) == Outcome(1, 0)

    assert [one.action for one in triage.history(engine, ref(1))] == ["acknowledge", "close"]


def test_a_comment_that_is_the_last_one_already_is_not_made_again(engine: Engine) -> None:
    """Unless somebody else says so, or something else was said since."""

    def say(text: str, by: str = "ada") -> int:
        return triage.comment(engine, [ref(1), ref(2)], text, by=by, now=LATER).changed

    triage.comment(engine, [ref(2)], "a scan", by="ada", now=LATER)
    triage.close(engine, [ref(2)], FALSE, "so it was", by="bob", now=LATER)
    assert [
        say("a scan"),
        say("a scan"),
        say("a scan", by="bob"),
        say("a scan"),
        say("no"),
        say("a scan"),
    ] == [*(1, 0, 2, 2, 2, 2)]
    assert [stored(engine, number).triage.comments for number in (1, 2)] == [5, 5]
    assert len(audit.entries(engine)) == 7


def test_a_comment_on_many_that_was_interrupted_is_made_once_on_each(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triage, "PORTION", 1)
    with monkeypatch.context() as interrupted:
        # Not of all threads: others may wait for something as well.
        waits = SimpleNamespace(Event=lambda: SimpleNamespace(wait=_interrupt))
        interrupted.setattr(triage, "threading", waits)
        with pytest.raises(KeyboardInterrupt):
            triage.comment(engine, Filters(client="acme"), "a scan", by="ada", now=LATER)
    again = triage.comment(engine, Filters(client="acme"), "a scan", by="ada", now=LATER)

    assert again == Outcome(3, 2)
    assert [stored(engine, number).triage.comments for number in (1, 2, 4)] == [1, 1, 1]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_verdict_can_be_corrected(engine: Engine) -> None:
    triage.close(engine, [ref(1)], TRUE, "so it was", by="ada", now=LATER)
    assert triage.close(engine, [ref(1)], FALSE, "no", by="bob", now=LATER) == Outcome(1, 1)

    assert (stored(engine, 1).triage.verdict, stored(engine, 1).triage.changed_by) == (FALSE, "bob")
    assert counts(engine)["acme"][0] == {Severity.SEVERITY_HIGH: 1, Severity.SEVERITY_CRITICAL: 1}


def test_a_sweep_does_not_overwrite_what_was_found_out(engine: Engine) -> None:
    """Unless the filters ask for what is closed."""
    triage.close(engine, [ref(2)], TRUE, "a breach", by="ada", now=LATER)
    assert triage.close(engine, Filters(client="acme"), FALSE, "noise", by="bob", now=LATER) == Outcome(2, 2)
    assert stored(engine, 2).triage.reason == "a breach"
    closed = Filters(client="acme", statuses=frozenset({CLOSED}))

    assert triage.close(engine, closed, FALSE, "noise", by="bob", now=LATER) == Outcome(3, 1)
    assert stored(engine, 2).triage.reason == "noise"


def test_the_audit_log_says_in_words_what_was_meant(engine: Engine) -> None:
    filters = Filters(since=NOON, min_severity=3, severity=4, source=2, owner="", text="x", technique="T1")
    triage.comment(engine, filters, "hm", by="ada", now=LATER)
    assert audit.entries(engine) == [], "nothing met them"
    triage.close(engine, Filters(since=NOON, min_severity=3, source=2), FALSE, "no", by="ada", now=LATER)
    (told,) = audit.entries(engine)

    assert told.details == {
        "verdict": "false-positive",
        "reason": "no",
        "changed": 3,
        "filters": {
            "since": "2026-07-01T12:00:00.000000Z",
            "min_severity": "high",
            "source": "suricata",
            "statuses": ["new", "acknowledged"],
        },
    }


def test_an_id_means_the_alert_of_its_node(engine: Engine) -> None:
    """Another node may send the same id."""
    keep(engine, [alert(2, place="beta/beta-1")])
    assert triage.acknowledge(engine, [ref(2), ref(99), ref(3)], by="ada", now=LATER) == Outcome(1, 1)

    found = alerts.with_id(engine, f"{2:032x}")
    assert {one.client: one.HasField("triage") for one in found} == {"acme": True, "beta": False}


def test_many_are_done_by_filter_in_portions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each portion is audited; what does not meet the filters stays as it is."""
    monkeypatch.setattr(triage, "PORTION", 3)
    monkeypatch.setattr(alerts, "KEYS", 4)
    keep(engine, [alert(number, rule="9") for number in range(10, 20)])
    done = triage.close(engine, Filters(rule="9"), FALSE, "noise", by="ada", now=LATER)

    assert done == Outcome(10, 10)
    told = audit.entries(engine)
    assert [one.details["changed"] for one in told] == [2, 1, 3, 1, 3]
    assert told[0].details["filters"] == {"rule": "9", "statuses": ["new", "acknowledged"]}
    assert (told[0].action, told[0].actor, told[0].subject) == ("alert close", "ada", "by filter")
    assert not stored(engine, 4).HasField("triage")
    assert triage.close(engine, Filters(rule="9"), FALSE, "noise", by="ada", now=LATER) == Outcome(0, 0)


def test_filters_know_what_people_did(engine: Engine) -> None:
    triage.acknowledge(engine, [ref(1), ref(2)], by="ada", now=LATER)
    triage.close(engine, [ref(2)], FALSE, "noise", by="bob", now=LATER)
    triage.comment(engine, [ref(4)], "hm", by="bob", now=LATER)

    def found(filters: Filters) -> set[int]:
        return {int.from_bytes(one.alert.id) for one in alerts.find(engine, filters)}

    assert found(Filters(statuses=frozenset({NEW}))) == {3, 4}
    assert found(Filters(statuses=frozenset({ACKNOWLEDGED}))) == {1}
    assert found(Filters(statuses=frozenset({CLOSED}))) == {2}
    assert found(Filters(statuses=frozenset({NEW, ACKNOWLEDGED}))) == {1, 3, 4}
    assert found(Filters(statuses=frozenset({ACKNOWLEDGED, CLOSED}))) == {1, 2}
    assert found(Filters(owner="ada")) == {1, 2}
    assert found(Filters(owner="")) == {3, 4}
    assert found(Filters(owner="ada", statuses=frozenset({CLOSED}), client="beta")) == set()


def test_what_is_no_longer_meant_when_its_turn_comes_is_left_out(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody acknowledges an alert between the search and the transaction that would close it."""
    portions = triage._portions

    def interrupted(engine: Engine, filters: Filters) -> Iterator[object]:
        for portion in portions(engine, filters):
            triage.acknowledge(engine, [ref(1)], by="bob", now=LATER)
            yield portion

    monkeypatch.setattr(triage, "_portions", interrupted)
    new = Filters(statuses=frozenset({NEW}))

    assert triage.close(engine, new, FALSE, "noise", by="ada", now=LATER) == Outcome(3, 3)
    assert stored(engine, 1).triage.status == ACKNOWLEDGED


def test_what_people_write_is_cleaned_and_bounded(engine: Engine) -> None:
    triage.comment(engine, [ref(1)], "evil\x1b[31m\u202e", by="a\x00da", now=LATER)
    (told,) = triage.history(engine, ref(1))
    assert (told.text, told.actor) == ("evil\ufffd[31m\ufffd", "a\ufffdda")
    with pytest.raises(OperatorError, match="at most 4000 characters"):
        triage.comment(engine, [ref(1)], "x" * 4001, by="ada", now=LATER)
    with pytest.raises(OperatorError, match="a reason is missing"):
        triage.close(engine, [ref(1)], FALSE, " \n", by="ada", now=LATER)
    with pytest.raises(OperatorError, match="a verdict is missing"):
        triage.close(engine, [ref(1)], 0, "why", by="ada", now=LATER)
    with pytest.raises(OperatorError, match="name is missing"):
        triage.assign(engine, [ref(1)], "", by="ada", now=LATER)

    assert len(audit.entries(engine)) == 1


def test_what_is_written_down_is_done_and_the_other_way_round(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(audit, "note", fails)
    with pytest.raises(RuntimeError, match="power cut"):
        triage.acknowledge(engine, [ref(1)], by="ada", now=LATER)

    assert not stored(engine, 1).HasField("triage")
    assert triage.history(engine, ref(1)) == []
    assert counts(engine)["acme"] == ({1: 1, 3: 1, 4: 1}, {1: 1, 3: 1, 4: 1})


@dataclass(frozen=True)
class Model:
    """An alert as a person would keep it on paper."""

    client: str
    severity: int
    count: int
    received: datetime
    status: int = NEW
    owner: str = ""

    def is_open(self, now: datetime) -> bool:
        """Tell whether it counts as open."""
        days = 30 if self.severity in (3, 4) else 1
        quarter = timedelta(minutes=15)
        since = now - timedelta(days=days)
        return self.status != CLOSED and self.received >= since - (since - NOON) % quarter


def expected(models: list[Model], now: datetime) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
    found = {"acme": (Counter[int](), Counter[int]()), "beta": (Counter[int](), Counter[int]())}
    for one in models:
        if one.is_open(now):
            found[one.client][0][one.severity] += one.count
            found[one.client][1][one.severity] += one.count * (one.status == NEW)
    return {client: (+Counter(both[0]), +Counter(both[1])) for client, both in found.items()}


ALERTS = st.lists(
    st.tuples(
        st.sampled_from(["acme", "beta"]), st.integers(0, 5), st.integers(1, 9), st.integers(0, 40 * 24 * 4)
    ),
    min_size=1,
    max_size=8,
)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["acknowledge", "assign", "close", "reopen", "comment"]),
        st.one_of(st.lists(st.integers(0, 7), max_size=4), st.sampled_from(["acme", "beta"])),
    ),
    max_size=12,
)


def _after(one: Model, action: str) -> Model:
    if action == "acknowledge" and one.status == NEW:
        return replace(one, status=ACKNOWLEDGED, owner=one.owner or "ada")
    if action == "assign":
        return replace(one, owner="bob")
    if action == "close":
        return replace(one, status=CLOSED)
    if action == "reopen" and one.status == CLOSED:
        return replace(one, status=NEW)
    return one


def _done(engine: Engine, chosen: triage.Chosen, action: str) -> None:
    if action == "acknowledge":
        triage.acknowledge(engine, chosen, by="ada", now=LATER)
    elif action == "assign":
        triage.assign(engine, chosen, "bob", by="ada", now=LATER)
    elif action == "close":
        triage.close(engine, chosen, FALSE, "noise", by="ada", now=LATER)
    elif action == "reopen":
        triage.reopen(engine, chosen, by="ada", now=LATER)
    else:
        triage.comment(engine, chosen, "hm", by="ada", now=LATER)


@settings(max_examples=40, deadline=None)
@given(made=ALERTS, deeds=DEEDS, days=st.integers(0, 35))
def test_any_deeds_in_any_order_give_the_counts_of_a_simple_model(
    made: list[tuple[str, int, int, int]],
    deeds: list[tuple[str, list[int] | str]],
    days: int,
) -> None:
    models = [
        Model(client, severity, count, NOON - timedelta(minutes=15 * age))
        for client, severity, count, age in sorted(made, key=lambda one: -one[3])
    ]
    refs = [ref(number, f"{one.client}/n") for number, one in enumerate(models)]
    with TemporaryDirectory() as folder:
        engine = database(Path(folder))
        for number, one in enumerate(models):
            stored = alert(number, severity=one.severity, place=f"{one.client}/n")
            stored.alert.count = one.count
            stored.received.FromDatetime(one.received)
            keep(engine, [stored])
        for action, meant in deeds:
            if isinstance(meant, str):
                chosen: triage.Chosen = Filters(client=meant)
                mine = [index for index, one in enumerate(models) if one.client == meant]
            else:
                chosen = [refs[index] for index in meant if index < len(refs)]
                mine = [index for index in meant if index < len(refs)]
            _done(engine, chosen, action)
            for index in mine:
                models[index] = _after(models[index], action)
        now = NOON + timedelta(days=days, minutes=1)
        found = counts(engine, now)
        with reading(engine) as connection:
            owned = connection.execute(
                select(func.count()).select_from(schema.triage).where(schema.triage.c.owner != "")
            ).scalar_one()
            wrong = list(slots.wrong(connection))
        engines.DATABASES.leave()

    kept = [one for one in models if one.received > models[-1].received - timedelta(days=31)]
    assert found == expected(kept, now)
    assert wrong == []
    assert owned == sum(one.owner != "" for one in models)


CLOSING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from zeus_hub import triage
from zeus_hub.alerts import Filters
from zeus_hub.database import open_database

triage.PORTION = 10
engine = open_database(sys.argv[2], Path(sys.argv[1]))
triage.close(engine, Filters(client="acme"), 3, "noise", by="ada", now=datetime.now(UTC))
"""


def test_who_is_killed_in_the_middle_of_it_leaves_it_half_done_and_rightly_counted(tmp_path: Path) -> None:
    """What was done is done, counted and audited; the same again does the rest."""
    engine = database(tmp_path)
    keep(engine, [alert(number) for number in range(1000)])
    process = subprocess.Popen([sys.executable, "-c", CLOSING, str(tmp_path), url(tmp_path)])
    while not audit.entries(engine, limit=1):
        assert process.poll() is None
    process.kill()
    process.wait()
    with reading(engine) as connection:
        wrong = list(slots.wrong(connection))
    audited = sum(int(str(one.details["changed"])) for one in audit.entries(engine))
    left = counts(engine)["acme"][0][Severity.SEVERITY_MEDIUM]

    assert wrong == []
    assert 0 < left < 1000
    assert audited == 1000 - left
    done = triage.close(engine, Filters(client="acme"), FALSE, "noise", by="ada", now=LATER)
    assert done == Outcome(left, left)
    engine.dispose()
