"""How far canaries come, and where they stop."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from socme.v1.alert_pb2 import Alert, Canary
from socme.v1.vitals_pb2 import CanaryVitals, Vitals
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.canary import LIVE, Tracker, sink_stage
from zeus_hub.trend import MOST_SOURCES

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
KEY = ("acme", "acme-1")
SOURCE = "eve.json"
STORE = sink_stage("store")
INTERVAL = 60
VITALS = 10  # seconds between two


def vitals(written: int, read: int, spooled: int, acknowledged: int, interval: int = INTERVAL) -> Vitals:
    made = Vitals()
    source = made.sources.add(name=SOURCE)
    source.canary.CopyFrom(
        CanaryVitals(
            interval_seconds=interval, written=written, read=read, spooled=spooled, acknowledged=acknowledged
        )
    )
    return made


def canary(number: int, source: str = SOURCE) -> StoredAlert:
    """Return a canary written at noon, read 0.5 s and taken 2 s later."""
    stored = StoredAlert(client=KEY[0], node=KEY[1], alert=Alert(origin=source, canary=Canary(number=number)))
    stored.alert.canary.written.FromDatetime(NOON)
    stored.alert.observed.FromDatetime(NOON + timedelta(seconds=0.5))
    stored.received.FromDatetime(NOON + timedelta(seconds=2))
    return stored


def arrive(tracker: Tracker, stage: str, number: int, at: float) -> None:
    tracker.arrived(stage, canary(number), at=at, now=NOON + timedelta(seconds=3))


def lost(tracker: Tracker, at: float, problem: str = "") -> list[tuple[str, str, bool]]:
    found = tracker.lost(KEY, at, vitals_seconds=VITALS, journal_problem=problem)
    return [(each.source, each.stage, each.inside) for each in found]


STAGES = ["write", "tail", "spool", "uplink", STORE, LIVE]


@dataclass(frozen=True)
class Rate:
    """How often a node writes canaries and sends vitals, in seconds, and when it sends the first."""

    canaries: int = INTERVAL
    vitals: int = VITALS
    shift: int = 0


def run(
    stops: str, at_second: int, seconds: int, tracker: Tracker, rate: Rate = Rate()
) -> list[tuple[int, str]]:
    """Let canaries flow until one stage stops; return when which stage was named."""
    reached = dict.fromkeys(STAGES, 0)
    named: list[tuple[int, str]] = []
    for second in range(seconds):
        for place, stage in enumerate(STAGES):
            if stage == stops and second >= at_second:
                break
            before = second // rate.canaries if stage == "write" else reached[STAGES[place - 1]]
            if before > reached[stage]:
                reached[stage] = before
                if stage in (STORE, LIVE):
                    arrive(tracker, stage, before, second)
        if second % rate.vitals == rate.shift:
            said = vitals(*[reached[stage] for stage in STAGES[:4]])
            said.sources[0].canary.interval_seconds = rate.canaries
            tracker.told(KEY, said, second)
        found = tracker.lost(KEY, second, vitals_seconds=rate.vitals, journal_problem="")
        named += [(second, each.stage) for each in found]
    return named


RATES = [(60, 10), (60, 15), (40, 10), (8, 2), (240, 60)]  # seconds between canaries, and between vitals


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(("interval", "every"), RATES)
@pytest.mark.parametrize("shift", [0, 1, 7])
def test_the_stage_that_stops_is_named_within_two_intervals(
    stage: str, interval: int, every: int, shift: int
) -> None:
    """Where vitals come four times in an interval, whatever moment it stops at, and they come at."""
    for into in range(0, interval, max(1, interval // 12)):
        at_second = 10 * interval + into
        rate = Rate(interval, every, shift % every)
        named = run(stage, at_second, 13 * interval, Tracker(["store"]), rate)

        assert {name for _, name in named} == {stage}
        assert at_second < named[0][0] <= at_second + 2 * interval


@pytest.mark.parametrize(("interval", "every"), [*RATES, (10, 10), (5, 10), (60, 60), (1, 1)])
def test_while_canaries_come_through_nothing_is_lost(interval: int, every: int) -> None:
    assert run("nothing", 0, 3600, Tracker(["store"]), Rate(interval, every)) == []


def test_a_stage_that_is_slow_but_moves_is_not_lost() -> None:
    """A backlog drains: the uplink is far behind, and gets nearer."""
    tracker = Tracker(["store"])
    for second in range(0, 600, 10):
        made = 100 + second // 60
        tracker.told(KEY, vitals(made, made, made, second // 10), second)
        arrive(tracker, STORE, second // 10, second)
        arrive(tracker, LIVE, second // 10, second)

        assert lost(tracker, second) == []


def test_what_the_hub_cannot_write_stops_at_the_journal() -> None:
    tracker = Tracker(["store"])
    for second in range(0, 121, 10):
        now = 2 + second // 60
        tracker.told(KEY, vitals(now, now, now, 1), second)

    assert lost(tracker, 120) == [(SOURCE, "uplink", False)]
    assert lost(tracker, 120, "the disk is full") == [(SOURCE, "journal", False)]


def test_a_hub_that_has_just_started_does_not_wait_for_what_came_before() -> None:
    tracker = Tracker(["store"])
    for second in range(0, 50, 10):
        tracker.told(KEY, vitals(500, 500, 500, 500), second)

        assert lost(tracker, second) == []


def test_where_the_node_says_nothing_new_its_stages_are_not_judged() -> None:
    """That it is silent is told by other means; when it has come back, its vitals may take a moment."""
    tracker = Tracker(["store"])
    tracker.told(KEY, vitals(2, 1, 1, 1), 0)
    found = tracker.lost(KEY, 3600, vitals_seconds=VITALS, journal_problem="", speaks_since=3590)

    assert list(found) == []


def test_a_node_that_is_heard_and_tells_nothing_of_its_canaries_has_lost_them_on_the_way() -> None:
    """Alerts come and vitals do not. Where canaries are among them, the way is proved by those."""
    tracker = Tracker(["store"])
    tracker.told(KEY, vitals(2, 2, 2, 2), 0)
    arrive(tracker, STORE, 3, 100)
    arrive(tracker, LIVE, 3, 100)
    assert lost(tracker, 100 + 2 * INTERVAL) == []
    assert lost(tracker, 100 + 2 * INTERVAL + 1) == [(SOURCE, "uplink", False)]


def unsure(tracker: Tracker, at: float) -> list[str]:
    return list(tracker.unsure(KEY, at, vitals_seconds=VITALS))


def test_at_first_nobody_knows_whether_canaries_come_through() -> None:
    """A hub that has just started must not say that what stopped before has begun to flow."""
    tracker = Tracker(["store"])
    for second in range(0, 80, 10):
        tracker.told(KEY, vitals(9 + second // 60, 8, 8, 8), second)

        assert unsure(tracker, second) == [SOURCE] or lost(tracker, second)
    assert lost(tracker, 70) == [(SOURCE, "tail", True)]


def test_one_canary_that_was_written_since_and_came_out_at_the_end_is_proof() -> None:
    tracker = Tracker(["store"])
    tracker.told(KEY, vitals(9, 8, 8, 8), 0)
    arrive(tracker, STORE, 8, 1)
    arrive(tracker, LIVE, 8, 1)
    assert unsure(tracker, 2) == [SOURCE], "that one was on its way already"
    arrive(tracker, STORE, 9, 3)
    arrive(tracker, LIVE, 9, 3)

    assert unsure(tracker, 4) == []


def test_what_was_followed_for_as_long_as_it_takes_to_name_a_stage_is_known() -> None:
    tracker = Tracker(["store"])
    tracker.told(KEY, vitals(9, 9, 9, 9), 0)

    assert unsure(tracker, 1.5 * INTERVAL + 3 * VITALS) == [SOURCE]
    assert unsure(tracker, 1.5 * INTERVAL + 3 * VITALS + 1) == []


def test_a_sources_name_is_cut() -> None:
    """It is the subject of a condition, and goes into the hub's sign of life every few seconds."""
    long = Vitals()
    long.sources.add(name="x" * 200_000).canary.CopyFrom(CanaryVitals(interval_seconds=1, written=5))
    tracker = Tracker(["store"])
    tracker.told(KEY, long, 0)
    tracker.told(KEY, long, 10)
    tracker.arrived(STORE, canary(4, "x" * 200_000), at=10, now=NOON)
    (view,) = tracker.view(KEY)

    assert view["source"] == "x" * 512
    assert view["stages"][STORE]["number"] == 4  # type: ignore[index]
    assert [name for name, *_ in lost(tracker, 10)] == ["x" * 512]


def test_a_node_that_counts_anew_begins_anew() -> None:
    tracker = Tracker(["store"])
    tracker.told(KEY, vitals(500, 500, 500, 500), 0)
    tracker.told(KEY, vitals(1, 1, 1, 0), 10)

    assert tracker.view(KEY)[0]["written"] == 1
    assert lost(tracker, 11) == []


def test_the_time_that_each_stage_took() -> None:
    tracker = Tracker(["store"])
    said = vitals(6, 6, 6, 5)
    said.sources[0].canary.spool_seconds = 0.25
    tracker.told(KEY, said, 0)
    arrive(tracker, STORE, 6, 1)
    arrive(tracker, LIVE, 6, 1)
    (view,) = tracker.view(KEY)

    assert view["stages"] == {
        "tail": {"number": 6, "seconds": 0.5},
        "spool": {"number": 6, "seconds": 0.25},
        "uplink": {"number": 5, "seconds": 1.25},
        STORE: {"number": 6, "seconds": 1.0},
        LIVE: {"number": 6, "seconds": 1.0},
    }
    assert (view["source"], view["interval_seconds"]) == (SOURCE, 60)


@pytest.mark.parametrize("claim", [math.nan, math.inf, -1.0, 1e300])
def test_a_time_that_is_none_is_not_shown(claim: float) -> None:
    tracker = Tracker(["store"])
    said = vitals(6, 6, 6, 5)
    said.sources[0].canary.spool_seconds = claim
    tracker.told(KEY, said, 0)
    arrive(tracker, STORE, 6, 1)

    stages = tracker.view(KEY)[0]["stages"]
    assert stages["spool"]["seconds"] is None  # type: ignore[index]
    assert stages["uplink"]["seconds"] == 1.5  # type: ignore[index]


def test_a_clock_that_is_off_does_not_make_the_way_longer() -> None:
    tracker = Tracker(["store"])
    tracker.told(KEY, vitals(6, 6, 6, 5), 0)
    tracker.arrived(STORE, canary(6), at=1, now=NOON + timedelta(seconds=3), skew_seconds=1.0)
    stages = tracker.view(KEY)[0]["stages"]

    assert stages["uplink"]["seconds"] == 2.5  # type: ignore[index]
    assert stages["tail"]["seconds"] == 0.5  # type: ignore[index]


def test_where_canaries_are_off_or_of_no_known_source_there_is_nothing_to_follow() -> None:
    tracker = Tracker(["store"])
    arrive(tracker, STORE, 1, 0)
    tracker.told(KEY, vitals(5, 5, 5, 5), 0)
    tracker.arrived(STORE, canary(9, source="made-up"), at=1, now=NOON)
    assert list(tracker.keys()) == [KEY]
    tracker.told(KEY, vitals(0, 0, 0, 0, interval=0), 1)

    assert tracker.view(KEY) == []
    assert list(tracker.keys()) == []
    assert lost(tracker, 1000) == []


def test_sources_are_bounded() -> None:
    many = Vitals()
    for number in range(100):
        many.sources.add(name=str(number)).canary.interval_seconds = 1
    tracker = Tracker(["store"])
    tracker.told(KEY, many, 0)

    assert len(tracker.view(KEY)) == MOST_SOURCES


def test_a_canary_that_is_sent_again_changes_nothing() -> None:
    tracker = Tracker(["store"])
    tracker.told(KEY, vitals(9, 9, 9, 8), 0)
    arrive(tracker, STORE, 9, 1)
    before = tracker.view(KEY)
    arrive(tracker, STORE, 3, 50)

    assert tracker.view(KEY) == before
