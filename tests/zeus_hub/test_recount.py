"""What there is to tell of a day or a month, from a real database."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event, insert

from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health
from socme.v1.watch_pb2 import StoredAlert, Verdict
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.stored import NOON, alert, database, keep
from zeus_hub import chronicle, periods, purge, recount, registry, schema, triage
from zeus_hub.database import microseconds, writing
from zeus_hub.digest import Gap, NodeState, Report
from zeus_hub.health import AWAY, Moment
from zeus_hub.notice import Title
from zeus_hub.registry import Node
from zeus_hub.triage import Ref

pytestmark = pytest.mark.usefixtures("both")

UTC_ZONE = ZoneInfo("UTC")
TODAY = periods.of("day", NOON.date(), UTC_ZONE)
LOW, HIGH, CRITICAL = Severity.SEVERITY_LOW, Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL
TRUE, FALSE = Verdict.VERDICT_TRUE_POSITIVE, Verdict.VERDICT_FALSE_POSITIVE
UP, SILENT, UNKNOWN = Health.HEALTH_UP, Health.HEALTH_SILENT, Health.HEALTH_UNSPECIFIED


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def told(
    engine: Engine,
    period: periods.Period = TODAY,
    nodes: Sequence[Node] = (),
    away: datetime | None = None,
    client: str = "acme",
    now: datetime = NOON + timedelta(days=1),
) -> Report:
    return recount.report(engine, registry.get_client(engine, client), period, nodes, now=now, away=away)


def many(number: int, of: StoredAlert) -> StoredAlert:
    """Return an alert that stands for many."""
    of.alert.count = number
    return of


def test_alerts_are_counted_by_severity_as_all_that_they_stand_for(engine: Engine) -> None:
    keep(
        engine,
        [
            alert(1, severity=LOW),
            many(40, alert(2, severity=LOW)),
            alert(3, severity=HIGH),
            alert(4, severity=Severity.SEVERITY_UNSPECIFIED),
            alert(5, place="beta/beta-1", severity=CRITICAL),
        ],
    )

    assert told(engine).counts == ((HIGH, 1), (LOW, 41), (Severity.SEVERITY_UNSPECIFIED, 1))
    assert told(engine, client="beta").counts == ((CRITICAL, 1),)


def test_alerts_are_of_the_day_on_which_they_arrive(engine: Engine) -> None:
    """They come at 13:00 and `number` minutes: 23:59, midnight, and one that happened the day before."""
    keep(engine, [alert(659), alert(660), alert(12, minutes=-9000)])
    tomorrow = periods.of("day", NOON.date() + timedelta(days=1), UTC_ZONE)

    assert sum(count for _, count in told(engine).counts) == 2
    assert sum(count for _, count in told(engine, tomorrow).counts) == 1
    auckland = periods.of("day", NOON.date(), ZoneInfo("Pacific/Auckland"))  # it ends at noon in UTC
    assert told(engine, auckland).counts == ()


def test_the_most_frequent_come_first_with_their_counts(engine: Engine) -> None:
    keep(
        engine,
        [
            *(alert(n, name="scan", ips=("192.0.2.7", "10.0.0.1")) for n in range(3)),
            many(9, alert(3, name="brute force", ips=("192.0.2.8", "10.0.0.1"))),
            alert(4, name="", text="something odd", ips=("", "")),
            alert(5, name="", rule="77", ips=("", "")),
        ],
    )
    found = told(engine)

    assert found.titles == (
        Title("brute force", 9),
        Title("scan", 3),
        Title("something odd", 1),
        Title("rule 77", 1),
    )
    assert found.sources == (Title("192.0.2.8", 9), Title("192.0.2.7", 3))
    assert found.sampled == 1


def test_of_many_alerts_some_are_looked_at_and_the_report_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "LOOKED_AT", 100)
    keep(engine, [alert(n, name="scan" if n % 5 else "rare", minutes=0) for n in range(600)])
    found = told(engine)

    assert found.counts == ((Severity.SEVERITY_MEDIUM, 600),)
    assert found.sampled == 7
    assert [title.text for title in found.titles] == ["scan", "rare"]
    assert abs(found.titles[0].count - 480) <= 30


def ref(number: int) -> Ref:
    return Ref("acme", "acme-1", number.to_bytes(16))


def gone(engine: Engine, *numbers: int, severity: int, client: str = "acme") -> datetime:
    """Purge alerts of a client and a severity, by their numbers; return from when on such are kept."""
    since = NOON + timedelta(hours=1, minutes=max(numbers))
    of = registry.get_client(engine, client).id
    row = {"client_id": of, "severity": severity, "since_us": microseconds(since)}
    with writing(engine) as connection:
        connection.execute(insert(schema.horizon).values(row))
    purge.take_out(engine, numbers)
    return since


def test_what_is_not_kept_any_more_is_counted_and_told(engine: Engine) -> None:
    """And stays open where it was: nobody has judged it."""
    keep(engine, [alert(n, severity=HIGH) for n in range(5)])
    triage.close(engine, [ref(0)], FALSE, "noise", by="ada", now=NOON + timedelta(hours=2))
    since = gone(engine, 1, 2, 3, severity=HIGH)
    found = told(engine)

    assert found.counts == ((HIGH, 5),)
    assert found.kept_since == since
    assert (found.titles, found.judged.open) == ((Title("a rule", 2),), 4)
    assert not found.untold, "it was no attack"
    later = periods.of("day", NOON.date() + timedelta(days=1), UTC_ZONE)
    assert told(engine, later).kept_since is None


@pytest.mark.parametrize("severity", [LOW, CRITICAL])
def test_what_was_an_attack_and_is_not_kept_any_more_is_not_known(engine: Engine, severity: int) -> None:
    """Of whoever had some closed that are gone: whose it was stands nowhere any more."""
    keep(engine, [alert(n, severity=severity) for n in range(3)])
    keep(engine, [alert(n, severity=severity, place="beta/beta-1") for n in range(3, 5)])
    triage.close(engine, [ref(0)], TRUE, "real", by="ada", now=NOON + timedelta(hours=2))
    triage.comment(engine, [ref(0)], "it was", by="ada", now=NOON + timedelta(hours=3))
    triage.close(engine, [ref(1), ref(2)], FALSE, "noise", by="ada", now=NOON + timedelta(hours=2))
    assert not told(engine).untold
    gone(engine, 1, 2, severity=severity)
    gone(engine, 4, severity=severity, client="beta")

    assert told(engine).untold
    assert not told(engine, client="beta").untold


def test_an_attack_that_was_none_after_all_is_none(engine: Engine) -> None:
    keep(engine, [alert(n, severity=LOW) for n in range(3)])
    triage.close(engine, [ref(0)], TRUE, "real", by="ada", now=NOON + timedelta(hours=2))
    triage.close(engine, [ref(0)], FALSE, "a test", by="ada", now=NOON + timedelta(hours=3))
    gone(engine, 1, severity=LOW)

    assert not told(engine).untold


def test_attacks_of_before_and_those_that_are_kept_hide_nothing(engine: Engine) -> None:
    kept = [alert(n, severity=LOW) for n in range(5)]
    for old in kept[:2]:
        old.received.FromDatetime(NOON - timedelta(days=3))
    keep(engine, kept)
    triage.close(engine, [ref(0), ref(3)], TRUE, "real", by="ada", now=NOON + timedelta(hours=2))
    triage.close(engine, [ref(2)], FALSE, "noise", by="ada", now=NOON + timedelta(hours=2))
    gone(engine, 1, 3, severity=LOW)
    found = told(engine)

    assert (found.judged.true_positive, found.untold) == (1, False)


def test_attacks_of_later_hide_nothing(engine: Engine) -> None:
    made = [alert(n, severity=LOW) for n in range(5)]
    for later in made[2:]:
        later.received.FromDatetime(NOON + timedelta(days=3))
    keep(engine, made)
    triage.close(engine, [ref(3)], TRUE, "real", by="ada", now=NOON + timedelta(days=4))
    triage.close(engine, [ref(0)], FALSE, "noise", by="ada", now=NOON + timedelta(hours=2))
    gone(engine, 1, 4, severity=LOW)

    assert not told(engine).untold


def test_what_was_longer_ago_than_is_counted_is_not_known_where_not_all_is_kept(engine: Engine) -> None:
    keep(engine, [alert(n, severity=LOW) for n in range(3)])
    months = NOON + timedelta(days=60)
    assert not told(engine, now=months).untold
    gone(engine, 1, severity=LOW)

    assert told(engine, now=months).untold
    assert not told(engine).untold


def test_what_people_did_is_told_with_what_is_severe_and_open(engine: Engine) -> None:
    keep(engine, [alert(n, severity=HIGH) for n in range(4)] + [alert(n, severity=LOW) for n in range(4, 9)])
    came = NOON + timedelta(hours=1)
    triage.acknowledge(engine, [ref(0)], by="ada", now=came + timedelta(seconds=90))
    triage.acknowledge(engine, [ref(1), ref(4)], by="ada", now=came + timedelta(hours=2))
    triage.close(engine, [ref(0)], TRUE, "real", by="ada", now=came + timedelta(hours=3))
    triage.close(engine, [ref(5), ref(6)], FALSE, "noise", by="ada", now=came + timedelta(hours=3))
    judged = told(engine).judged

    assert (judged.true_positive, judged.false_positive, judged.benign, judged.duplicate) == (1, 2, 0, 0)
    assert judged.acknowledged == 3, "one of them was closed since"
    assert judged.open == 3, "of those of low severity nobody has to say anything"
    assert judged.seconds_to_acknowledge == pytest.approx(6960)
    assert told(engine, client="beta").judged.acknowledged == 0


def health(engine: Engine, *changes: tuple[float, int, str]) -> None:
    """Write down how acme was: hours from noon on."""
    moments = [Moment(NOON + timedelta(hours=hours), state, reason) for hours, state, reason in changes]
    chronicle.record(engine, [("acme", each) for each in moments])


def test_how_well_was_watched_is_told_with_the_gaps(engine: Engine) -> None:
    health(engine, (-5, SILENT, ""), (0, UP, ""), (2, SILENT, "acme-1: nothing was heard of it"), (5, UP, ""))
    health(engine, (24, SILENT, "acme-1: later"))
    found = told(engine).watched

    assert found.whole == timedelta(hours=12), "from when the client was added on"
    assert found.seeing == timedelta(hours=9)
    assert found.gaps == (
        Gap(
            NOON + timedelta(hours=2),
            NOON + timedelta(hours=5),
            "silent",
            "acme-1",
            "nothing was heard of it",
        ),
    )


def test_while_no_hub_runs_nobody_watches(engine: Engine) -> None:
    """What was written down between its last sign of life and its end counts as little."""
    health(engine, (0, UP, ""), (10.5, SILENT, "acme-1: x"), (11, UP, ""))
    found = told(engine, away=NOON + timedelta(hours=10)).watched

    assert found.seeing == timedelta(hours=10)
    assert [(gap.state, gap.reason) for gap in found.gaps] == [("unknown", AWAY)]
    assert AWAY not in [gap.reason for gap in told(engine, away=NOON + timedelta(hours=13)).watched.gaps]


def node(name: str, state: Health.ValueType, revoked: datetime | None = None) -> Node:
    return Node("acme", name, NOON, NOON, revoked, connected=True, last_seen=NOON, interval_seconds=30,
                vitals=None, health=state)  # fmt: skip


def test_nodes_are_told_but_those_that_were_revoked_before(engine: Engine) -> None:
    nodes = [
        node("acme-1", UP),
        node("acme-2", UNKNOWN),
        node("acme-3", Health.HEALTH_REVOKED, NOON + timedelta(hours=1)),
        node("acme-4", Health.HEALTH_REVOKED, NOON - timedelta(hours=1)),
    ]

    assert told(engine, nodes=nodes).nodes == (
        NodeState("acme-1", "up"),
        NodeState("acme-2", "unknown"),
        NodeState("acme-3", "revoked"),
    )


@sqlite_alone
def test_only_as_many_rows_are_read_as_there_are_to_look_at(engine: Engine) -> None:
    """Whatever else is in the table: the index of the time of arrival says which."""
    keep(engine, [alert(n) for n in range(50)])
    plans = []

    @event.listens_for(engine, "before_cursor_execute")
    def _explain(_c: object, cursor: object, text: str, values: object, *_: object) -> None:
        if "FROM alert" in text or "JOIN alert" in text:
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {text}", values)  # type: ignore[attr-defined]
            plans.append(" ".join(row[3] for row in rows))

    month = periods.of("month", date(2026, 7, 1), UTC_ZONE)
    told(engine, replace(month, start=datetime(2026, 7, 1, tzinfo=UTC)))

    assert plans
    for plan in plans:
        assert "SCAN" not in plan
        assert "ix_alert_client_id_time_us" not in plan
    assert any("COVERING INDEX ix_alert_received_us_client_id_severity_count" in plan for plan in plans)
