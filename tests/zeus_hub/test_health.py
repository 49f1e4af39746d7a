"""What can be relied on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health
from zeus_hub import conditions, health
from zeus_hub.health import SEEING, Moment, Standing
from zeus_hub.raising import Open

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
UP = Standing(Health.HEALTH_UP)


def opened(kind: str, severity: Severity.ValueType = Severity.SEVERITY_HIGH, subject: str = "") -> Open:
    return Open("acme", "acme-1", kind, subject, NOON, severity, f"{kind} it is", severity)


def node(*found: Open) -> Standing:
    return health.of_node(found, revoked=False, enabled=True, heard=True, seen=True)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (conditions.NODE_SILENT, Health.HEALTH_SILENT),
        (conditions.SOURCE_SILENT, Health.HEALTH_BLIND),
        (conditions.SENSOR_DROPS, Health.HEALTH_BLIND),
        (conditions.SENSOR_BLIND, Health.HEALTH_BLIND),
        (conditions.LAG_GROWING, Health.HEALTH_LATE),
        (conditions.SINK_STUCK, Health.HEALTH_LATE),
        (conditions.CANARY_LOST, Health.HEALTH_BLIND),
        (conditions.SPOOL_FILLING, Health.HEALTH_DEGRADED),
        (conditions.CLOCK_SKEW, Health.HEALTH_DEGRADED),
        (conditions.CERTIFICATE_ENDING, Health.HEALTH_DEGRADED),
        (conditions.UNACCOUNTED, Health.HEALTH_DEGRADED),
        (conditions.CLONE_SUSPECTED, Health.HEALTH_DEGRADED),
        (conditions.HUB_DISK, Health.HEALTH_DEGRADED),
        ("moon_full", Health.HEALTH_DEGRADED),
    ],
)
def test_what_a_condition_makes_of_its_node(kind: str, expected: Health.ValueType) -> None:
    assert node(opened(kind)) == Standing(expected, (f"{kind} it is",))


def test_a_canary_that_is_late_makes_a_node_late() -> None:
    late = opened(conditions.CANARY_LOST, Severity.SEVERITY_MEDIUM)

    assert node(late).health == Health.HEALTH_LATE


def test_the_worst_comes_first() -> None:
    found = node(opened("clock_skew"), opened("lag_growing"), opened("sensor_blind"))

    assert found.health == Health.HEALTH_BLIND
    assert found.reasons == ("sensor_blind it is", "lag_growing it is", "clock_skew it is")


def test_without_conditions_a_node_is_up_if_it_was_heard() -> None:
    assert node() == UP
    unheard = health.of_node((), revoked=False, enabled=True, heard=False, seen=True)
    assert unheard == Standing(Health.HEALTH_UNSPECIFIED, (health.UNHEARD,))
    assert health.of_node((), revoked=False, enabled=True, heard=False, seen=False) == Standing(
        Health.HEALTH_UNSPECIFIED
    )


def test_a_node_that_was_silent_when_the_hub_started_still_is() -> None:
    found = health.of_node([opened("node_silent")], revoked=False, enabled=True, heard=False, seen=True)

    assert found.health == Health.HEALTH_SILENT


def test_a_revoked_node_is_nothing_else() -> None:
    found = health.of_node([opened("node_silent")], revoked=True, enabled=True, heard=True, seen=True)

    assert found == Standing(Health.HEALTH_REVOKED, (health.REVOKED,))


def test_a_node_of_a_disabled_client_is_no_trouble() -> None:
    found = health.of_node([opened("node_silent")], revoked=False, enabled=False, heard=True, seen=True)

    assert found == Standing(Health.HEALTH_REVOKED, (health.CLIENT_DISABLED,))


BLIND = Standing(Health.HEALTH_BLIND, ("no packets", "clock off"))
SILENT = Standing(Health.HEALTH_SILENT, ("nothing heard",))
GONE = Standing(Health.HEALTH_REVOKED, (health.REVOKED,))
NEW = Standing(Health.HEALTH_UNSPECIFIED)
UNHEARD = Standing(Health.HEALTH_UNSPECIFIED, (health.UNHEARD,))


@pytest.mark.parametrize(
    ("nodes", "expected", "reasons"),
    [
        ({"a": UP, "b": UP}, Health.HEALTH_UP, ()),
        (
            {"a": UP, "b": BLIND, "c": SILENT},
            Health.HEALTH_SILENT,
            ("c: nothing heard", "b: no packets", "b: clock off"),
        ),
        ({"a": UP, "b": GONE}, Health.HEALTH_UP, ()),
        ({"b": GONE, "a": GONE}, Health.HEALTH_REVOKED, (f"a: {health.REVOKED}",)),
        ({"a": UP, "b": NEW}, Health.HEALTH_UP, ()),
        ({"a": NEW}, Health.HEALTH_UNSPECIFIED, (health.UNUSED,)),
        ({}, Health.HEALTH_UNSPECIFIED, (health.UNUSED,)),
        ({"a": UP, "b": UNHEARD}, Health.HEALTH_UNSPECIFIED, (f"b: {health.UNHEARD}",)),
        ({"a": SILENT, "b": UNHEARD}, Health.HEALTH_SILENT, ("a: nothing heard", f"b: {health.UNHEARD}")),
    ],
)
def test_a_client_is_as_the_worst_of_its_nodes(
    nodes: dict[str, Standing], expected: int, reasons: tuple[str, ...]
) -> None:
    found = health.of_client(nodes, enabled=True)

    assert (found.health, found.reasons) == (expected, reasons)


def test_of_a_disabled_client_nothing_is_expected() -> None:
    assert health.of_client({"a": UP}, enabled=False) == Standing(Health.HEALTH_REVOKED, (health.DISABLED,))


def test_reasons_are_bounded() -> None:
    many = [opened("source_silent", subject=str(number)) for number in range(100)]

    assert len(node(*many).reasons) == health.MOST_REASONS
    assert len(health.of_client({"a": node(*many)}, enabled=True).reasons) == health.MOST_REASONS


def ago(hours: float, state: Health.ValueType) -> Moment:
    return Moment(NOON - timedelta(hours=hours), state)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], 0.0),
        ([ago(0, Health.HEALTH_UP)], 1.0),
        ([ago(0, Health.HEALTH_BLIND)], 0.0),
        ([ago(48, Health.HEALTH_UP)], 1.0),
        ([ago(48, Health.HEALTH_UP), ago(6, Health.HEALTH_SILENT)], 0.75),
        ([ago(4, Health.HEALTH_LATE), ago(1, Health.HEALTH_BLIND)], 0.75),
        ([ago(30, Health.HEALTH_BLIND), ago(12, Health.HEALTH_DEGRADED)], 0.5),
        ([ago(-5, Health.HEALTH_UP)], 1.0),
    ],
)
def test_the_share_of_the_last_day(history: list[Moment], expected: float) -> None:
    assert health.share(history, NOON) == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40_000), st.sampled_from(Health.values())), min_size=1, max_size=9))
def test_the_share_is_what_counting_gives(lengths: Sequence[tuple[int, int]]) -> None:
    """In pieces of half a minute."""
    piece = timedelta(seconds=30)
    begun = NOON - sum((piece * (length // 30 + 1) for length, _ in lengths), timedelta())
    history, at = [], begun
    for length, state in lengths:
        history.append(Moment(at, state))
        at += piece * (length // 30 + 1)
    first = max(begun, NOON - health.DAY)
    pieces = [first + piece * number for number in range(int((NOON - first) / piece))]
    seeing = [[each.health for each in history if each.since <= start][-1] in SEEING for start in pieces]
    found = health.share(history, NOON)

    assert 0 <= found <= 1
    assert found == pytest.approx(sum(seeing) / len(seeing))


def test_moments_of_a_clock_that_was_ahead_are_cut_back_to_now() -> None:
    """A minute in which it was a year ahead must not make a client seem well for a year."""
    year = NOON + timedelta(days=365)
    history = [Moment(NOON - timedelta(hours=20), Health.HEALTH_UP), Moment(year, Health.HEALTH_BLIND, "why")]

    assert health.behind(history, NOON) == Moment(NOON, Health.HEALTH_BLIND, "why")
    assert health.behind(history[:1], NOON) is None
    assert health.behind([], NOON) is None
