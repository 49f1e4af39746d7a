"""What vitals say taken together."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artemis_agent import config
from socme.v1.vitals_pb2 import SensorVitals, Vitals
from zeus_hub import trend
from zeus_hub.trend import MOST_SOURCES, SAMPLES, Trend

NAME = "eve.json"
MIB = 2**20


def vitals(
    lag: int = 0,
    sensor: tuple[int, int, int] | None = None,
    time: float | None = None,
    age: float | None = None,
) -> Vitals:
    """Return vitals of one source; of a sensor its uptime, packets and drops."""
    made = Vitals(agent_uptime_seconds=50)
    source = made.sources.add(name=NAME, kind="suricata", lag_bytes=lag)
    if age is not None:
        source.last_record_age_seconds = age
    if sensor is not None:
        uptime, packets, dropped = sensor
        source.sensor.CopyFrom(SensorVitals(uptime_seconds=uptime, packets=packets, dropped=dropped))
    if time is not None:
        made.time.FromMilliseconds(int(time * 1000))
    return made


def after(*taken: tuple[float, Vitals]) -> Trend:
    made = Trend(spacing=1)
    for at, each in taken:
        made.take(each, at=at, arrived=at)
    return made


def lags(*bytes_: int) -> list[tuple[float, Vitals]]:
    """Return a reading each minute."""
    return [(60.0 * minute, vitals(lag)) for minute, lag in enumerate(bytes_)]


@pytest.mark.parametrize(
    ("bytes_", "grows"),
    [
        ([20, 21, 22, 23, 24, 25], True),
        ([20, 50, 30, 60, 40, 25], True),
        ([20, 21, 22, 23, 24], False),  # not for long enough
        ([60, 50, 40, 30, 25, 20], False),  # it catches up
        ([20, 21, 22, 10, 24, 25], False),  # it was nearly there
        ([10, 11, 12, 13, 14, 15], False),  # little
        ([0, 0, 0, 20, 21, 22], False),
        ([0, 0, 0, 20, 21, 22, 23, 24, 25], True),
    ],
)
def test_lag_grows_where_it_was_long_there_and_is_more_than_before(bytes_: list[int], grows: bool) -> None:  # noqa: FBT001
    made = after(*lags(*[count * MIB for count in bytes_]))
    now = 60.0 * (len(bytes_) - 1)

    assert made.sources[NAME].lag_grows(now, seconds=300, floor=16 * MIB) is grows


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([], (0, 0)),
        ([(100, 5000, 50)], (0, 0)),
        ([(100, 5000, 50), (110, 6000, 70)], (20, 1000)),
        ([(100, 5000, 50), (110, 6000, 70), (5, 100, 0)], (0, 0)),
        ([(100, 5000, 50), (5, 100, 1), (15, 300, 4)], (3, 200)),
    ],
)
def test_packets_are_differences_within_one_life_of_the_sensor(
    readings: list[tuple[int, int, int]], expected: tuple[int, int]
) -> None:
    made = after(
        (0, vitals()), *[(10.0 * number, vitals(sensor=each)) for number, each in enumerate(readings)]
    )

    assert made.sources[NAME].traffic(now=10.0 * len(readings)) == expected


def test_what_was_lost_long_ago_counts_no_more() -> None:
    made = after(
        (0, vitals(sensor=(10, 100, 0))),
        (10, vitals(sensor=(20, 200, 90))),
        (150, vitals(sensor=(160, 1000, 90))),
        (160, vitals(sensor=(170, 1100, 90))),
    )

    assert made.sources[NAME].traffic(now=160) == (0, 100)


def test_a_sensor_that_reports_and_sees_nothing_stands_still() -> None:
    readings = [(10.0 * number, vitals(sensor=(100 + 10 * number, 5000, 0))) for number in range(20)]
    made = after(*readings)
    assert made.sources[NAME].still_seconds() == 190
    assert made.sources[NAME].steady

    made.take(vitals(sensor=(300, 5001, 0)), at=200, arrived=200)
    assert made.sources[NAME].still_seconds() == 0


def test_a_sensor_that_no_longer_reports_is_not_one_that_sees_nothing() -> None:
    """It is its log that stands still: the same statistics come with each of the vitals."""
    made = after(*[(10.0 * number, vitals(sensor=(100, 5000, 0))) for number in range(20)])

    assert made.sources[NAME].still_seconds() == 0


def test_a_restarted_sensor_gets_its_time() -> None:
    made = after(
        (0, vitals(sensor=(100, 50, 0))), (60, vitals(sensor=(160, 50, 0))), (70, vitals(sensor=(1, 50, 0)))
    )

    assert made.sources[NAME].still_seconds() == 0


def test_a_source_without_statistics_is_not_expected_to_speak_all_the_time() -> None:
    assert not after((0, vitals())).sources[NAME].steady


def test_a_source_is_quiet_since_its_last_record_or_since_the_agent_looks() -> None:
    assert after((10, vitals(age=5))).sources[NAME].quiet_seconds(50, now=12) == 7
    assert after((10, vitals())).sources[NAME].quiet_seconds(50, now=12) == 52


def test_a_source_that_is_no_longer_told_is_forgotten() -> None:
    made = after((0, vitals()), (10, Vitals()))

    assert made.sources == {}


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([], 0),
        ([7, 7], 0),  # too few to tell
        ([7, 7, 7], 7),
        ([-8, -8, -8], -8),
        ([-0.1, -30, -20], -0.1),  # two of them were long on their way
        ([60, *[0] * 6], 0),  # it was put right
    ],
)
def test_a_clock_is_judged_by_what_was_delayed_least(offsets: list[float], expected: float) -> None:
    made = after(*[(at, vitals(time=at + offset)) for at, offset in enumerate(offsets, start=100)])

    assert made.skew_seconds() == pytest.approx(expected)


def test_vitals_that_wait_behind_a_backlog_say_nothing_of_the_clock() -> None:
    made = Trend(spacing=1)
    for at in range(100, 110):
        late = vitals(time=at - 20)
        late.spool.oldest_age_seconds = 600
        made.take(late, at=at, arrived=at)

    assert made.skew_seconds() == 0


@pytest.mark.parametrize(
    ("ages", "grows"),
    [
        ([0, 60, 120, 180, 240, 300, 360], True),
        ([250, 290, 330, 370, 410, 450], True),  # it comes, but more slowly than it is found
        ([3600, 3500, 3000, 2000, 1000, 500], False),
        ([10, 20, 30, 40, 50, 60], False),  # a little late
        ([3600, 3660], False),  # not for long enough
    ],
)
def test_a_backlog_grows_where_its_oldest_alert_gets_older(ages: list[int], grows: bool) -> None:  # noqa: FBT001
    made, gap = Trend(spacing=1), 60.0
    for minute, age in enumerate(ages):
        told = vitals()
        told.spool.oldest_age_seconds = age
        made.take(told, at=gap * minute, arrived=gap * minute)

    assert made.backlog_grows(gap * (len(ages) - 1), seconds=300) is grows


def test_a_gap_before_a_backlog_says_nothing_of_it() -> None:
    """As where the hub was away for an hour: at the first vitals after it nobody knows which way it goes."""
    made = Trend(spacing=1)
    for at, age in ((0, 0), (10, 0), (3600, 3590), (3610, 3595)):
        told = vitals()
        told.spool.oldest_age_seconds = age
        made.take(told, at=at, arrived=at)

    assert not made.backlog_grows(3610, seconds=300)
    assert not made.backlog_known(3610, seconds=300)
    for at in (3700, 3800):
        made.take(told, at=at, arrived=at)
    assert made.backlog_known(3800, seconds=300)


SENSOR = st.none() | st.tuples(*[st.integers(0, 2**64 - 1)] * 3)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 600), st.integers(0, 2**64 - 1), SENSOR, st.floats(-1e9, 1e9)), max_size=200
    )
)
def test_whatever_a_node_says_there_is_an_answer_and_a_bound(
    said: list[tuple[float, int, tuple[int, int, int] | None, float]],
) -> None:
    made, at = Trend(spacing=5), 0.0
    for gap, lag, sensor, age in said:
        at += gap
        made.take(vitals(lag, sensor, age=age), at=at, arrived=at)
        source = made.sources[NAME]
        dropped, packets = source.traffic(at)
        assert dropped >= 0
        assert packets >= 0
        assert source.still_seconds() >= 0
        source.lag_grows(at, seconds=300, floor=0)
        assert len(source.samples) <= SAMPLES


def test_a_node_that_speaks_all_the_time_does_not_push_the_past_out() -> None:
    made = Trend(spacing=5)
    for tenth in range(10_000):
        made.take(vitals(tenth), at=tenth / 10, arrived=0)
    samples = made.sources[NAME].samples

    assert samples[-1].lag_bytes == 9999
    assert samples[-1].at - samples[0].at > 5 * (SAMPLES - 5)


def test_sources_and_their_names_are_bounded() -> None:
    many = Vitals()
    for number in range(100):
        many.sources.add(name=f"{number:03}" + "x" * 10_000)
    made = after((0, many))

    assert len(made.sources) == MOST_SOURCES
    assert {len(name) for name in made.sources} == {trend.LONGEST_NAME}


def test_no_node_may_have_more_sources_than_are_looked_at() -> None:
    assert config.MOST_SOURCES == MOST_SOURCES


@pytest.mark.parametrize("seed", range(20))
def test_what_is_forgotten_says_nothing(seed: int) -> None:
    """All that is asked has the same answer, now and later, as if every sample were kept."""
    chance = random.Random(seed)
    whole, short = (Trend(spacing=5) for _ in range(2))
    at, packets, dropped, behind, age, least = 1000.0, 0, 0, 0, 0.0, SAMPLES
    for _ in range(400):
        at += chance.choice([10, 10, 10, 11, 60])
        packets, dropped = packets + chance.choice([0, 1000]), dropped + chance.choice([0, 0, 0, 90])
        behind = chance.choice([0, behind, behind + 500, behind + 500, behind + 500])
        age = chance.choice([0.0, age + 10, age + 10])
        if chance.random() < 0.02:
            packets = dropped = 0
        told = vitals(behind, (int(at), packets, dropped) if chance.random() < 0.9 else None, age=age)
        for each in (whole, short):
            each.take(told, at=at, arrived=at)
        short.forget(at, lag_seconds=300, floor=1000)
        least = min(least, len(short.sources[NAME].samples))
        for later in (0, 7, 50, 130, 400):
            answers = [answer(each, at + later) for each in (whole, short)]

            assert answers[0] == answers[1]

    assert least < 15


def answer(known: Trend, now: float) -> tuple[object, ...]:
    source = known.sources[NAME]
    return (
        source.lag_grows(now, seconds=300, floor=1000),
        source.lag_known(now, seconds=300, floor=1000),
        source.traffic(now),
        source.traffic_known(now),
        source.still_known(now, seconds=180),
        known.backlog_grows(now, seconds=300),
        known.backlog_known(now, seconds=300),
    )
