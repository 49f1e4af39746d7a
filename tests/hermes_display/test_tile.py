from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_display.board import Client
from hermes_display.day import HOURS, Hours
from hermes_display.nodes import Node
from hermes_display.tally import CRITICAL, HIGH, LOW, MEDIUM, UNKNOWN, Counts
from hermes_display.tile import STATES, age, short, tile
from socme.v1.vitals_pb2 import Health
from tests.hermes_display.watch_server import NOON

LONG_AGO = NOON - timedelta(minutes=14)
BLIND, LATE, SILENT = Health.HEALTH_BLIND, Health.HEALTH_LATE, Health.HEALTH_SILENT


def node(name: str = "acme-1", *, seen: datetime | None = NOON) -> Node:
    """Return a node that was last heard then."""
    online = seen == NOON
    return Node("acme", name, "good" if online else "silent", online, seen)


def shown(open_: Counts, fresh: Counts | None = None, *nodes: Node, **more: object) -> dict[str, Any]:
    client = Client("Acme", open=open_, fresh=open_ if fresh is None else fresh, **more)  # type: ignore[arg-type]
    return dict(tile(client, nodes or (node(),), NOON))


@pytest.mark.parametrize(
    ("counts", "state", "number", "lines"),
    [
        (
            {CRITICAL: 2, HIGH: 5, MEDIUM: 8, LOW: 99},
            "critical",
            "2",
            [["critical", "2", False], ["high", "5", False], ["medium", "8", False]],
        ),
        ({HIGH: 5, LOW: 7}, "high", "5", [["high", "5", False]]),
        ({MEDIUM: 12900}, "medium", "12k", [["medium", "12k", False]]),
        ({UNKNOWN: 3}, "medium", "3", [["unknown", "3", False]]),
        ({LOW: 70}, "quiet", "70", [["low", "70", False]]),
        ({}, "quiet", "0", []),
    ],
)
def test_a_tile_shows_the_worst_that_is_open(
    counts: Counts, state: str, number: str, lines: list[object]
) -> None:
    told = shown(counts)
    assert (told["state"], told["number"], told["lines"]) == (state, number, lines)


def test_what_somebody_looks_after_calms_the_tile_and_stays_counted() -> None:
    told = shown({CRITICAL: 2, HIGH: 1}, {})
    assert (told["state"], told["number"]) == ("handled", "2")
    assert told["lines"] == [["critical", "2", True], ["high", "1", True]]
    told = shown({CRITICAL: 2, HIGH: 1}, {HIGH: 1})
    assert (told["state"], told["number"]) == ("high", "2")
    assert shown({LOW: 2}, {})["state"] == "quiet"


def test_a_client_is_silent_when_all_its_nodes_are_for_two_minutes() -> None:
    told = shown({HIGH: 9}, None, node(seen=LONG_AGO), node("acme-2", seen=LONG_AGO))
    assert (told["state"], told["number"], told["unit"]) == ("silent", "14", "min")
    assert (told["online"], told["nodes"]) == (0, 2)

    assert shown({}, None, node(seen=LONG_AGO), node("acme-2"))["state"] == "quiet"
    assert shown({}, None, node(seen=NOON - timedelta(seconds=60)))["state"] == "quiet"
    assert shown({}, None, node(seen=None))["state"] == "quiet"


def test_a_client_with_one_silent_node_among_others_is_blind_in_part() -> None:
    told = shown(
        {}, None, node(seen=LONG_AGO), node("acme-2"), health=SILENT, since=LONG_AGO, reason="acme-1: x"
    )
    assert (told["state"], told["number"], told["reason"]) == ("blind", "14", "acme-1: x")
    assert shown({}, None, node(), health=SILENT)["state"] == "silent", "the hub knows it first"


@pytest.mark.parametrize(
    ("health", "counts", "state", "care"),
    [
        (BLIND, {HIGH: 1, LOW: 900}, "blind", ""),
        (BLIND, {CRITICAL: 1}, "critical", "blind"),
        (LATE, {MEDIUM: 30, LOW: 900}, "late", ""),
        (LATE, {HIGH: 1}, "high", "late"),
        (Health.HEALTH_DEGRADED, {}, "quiet", ""),
        (Health.HEALTH_REVOKED, {HIGH: 1}, "off", ""),
        (77, {}, "quiet", ""),
    ],
)
def test_blind_and_late_sensors_are_louder_than_noise(
    health: int, counts: Counts, state: str, care: str
) -> None:
    """And never hidden by what is worse."""
    told = shown(counts, health=health, since=LONG_AGO, reason="acme-1: no packets")
    assert (told["state"], told["care"]) == (state, care)
    assert told["reason"] == ("no packets" if health in (BLIND, LATE) else "")


def test_a_reason_names_its_node_where_there_are_more() -> None:
    told = shown({}, None, node(), node("acme-2"), health=BLIND, reason="acme-2: no packets")
    assert told["reason"] == "acme-2: no packets"


def test_nodes_are_counted_by_the_hub_until_the_fleet_is_there() -> None:
    """None is missing before the fleet has told its nodes."""
    told = tile(Client("Acme", nodes=3), (), NOON)
    assert (told["online"], told["nodes"]) == (None, 3)


@pytest.mark.parametrize(
    ("count", "usual", "minutes", "unlike"),
    [
        (64, 28.0, 27, "more"),
        (30, 28.0, 27, ""),
        (9, 0.0, 27, ""),
        (12, 0.0, 27, "more"),
        (0, 40.0, 20, ""),
        (0, 40.0, 31, "less"),
        (6, 40.0, 31, ""),
        (0, 5.0, 59, ""),
    ],
)
def test_an_hour_is_compared_with_what_is_usual(count: int, usual: float, minutes: int, unlike: str) -> None:
    hours = Hours(NOON, (0,) * (HOURS - 1) + (count,), usual)
    told: Any = tile(Client("Acme", hours=hours), (), NOON + timedelta(minutes=minutes))["hour"]
    assert told == {"count": str(count), "usual": str(round(usual)), "unlike": unlike}


def test_an_hour_of_which_nothing_is_known_is_compared_with_nothing() -> None:
    hours = Hours(NOON, (0,) * (HOURS - 1) + (500,), None)
    assert tile(Client("Acme", hours=hours), (), NOON)["hour"] == {
        "count": "500",
        "usual": None,
        "unlike": "",
    }
    assert tile(Client("Acme"), (), NOON)["hour"] is None


@given(
    st.dictionaries(st.sampled_from([CRITICAL, HIGH, MEDIUM, LOW, UNKNOWN]), st.integers(1, 2**70)),
    st.integers(-1, 9),
)
def test_every_client_has_one_of_the_states_and_a_number_that_fits(counts: Counts, health: int) -> None:
    told = shown(counts, health=health)
    assert told["state"] in STATES
    assert 1 <= len(told["number"]) <= 4


@given(st.integers(0, 2**64))
def test_short_numbers_fit_a_tile(number: int) -> None:
    assert len(short(number)) <= 4


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (1999, "1.9k"),
        (12900, "12k"),
        (999_999, "999k"),
        (10**6, "1.0M"),
    ],
)
def test_short_numbers_are_rounded_down(number: int, text: str) -> None:
    assert short(number) == text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, [0, "s"]),
        (45, [45, "s"]),
        (60, [1, "min"]),
        (3599, [59, "min"]),
        (3600, [1, "h"]),
        (200_000, [2, "d"]),
    ],
)
def test_ages_are_told_in_one_unit(seconds: int, told: list[object]) -> None:
    assert age(NOON - timedelta(seconds=seconds), NOON) == told
    assert age(None, NOON) is None
