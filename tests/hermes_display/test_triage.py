from datetime import timedelta

import pytest

from hermes_display.tally import CRITICAL, HIGH, LOW, MEDIUM
from hermes_display.triage import Stage, is_counted, stage, steps
from socme.v1.watch_pb2 import TriageStatus
from tests.hermes_display.watch_server import NOON


@pytest.mark.parametrize(
    ("status", "where"),
    [
        (0, Stage.NEW),
        (TriageStatus.TRIAGE_STATUS_NEW, Stage.NEW),
        (TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED, Stage.ACKNOWLEDGED),
        (TriageStatus.TRIAGE_STATUS_CLOSED, Stage.CLOSED),
        (77, Stage.ACKNOWLEDGED),
    ],
)
def test_a_status_is_a_stage_and_one_of_the_future_says_that_somebody_did_something(
    status: int, where: Stage
) -> None:
    assert stage(status) is where


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (Stage.NEW, Stage.ACKNOWLEDGED, (0, -1)),
        (Stage.NEW, Stage.CLOSED, (-1, -1)),
        (Stage.ACKNOWLEDGED, Stage.CLOSED, (-1, 0)),
        (Stage.CLOSED, Stage.NEW, (1, 1)),
        (Stage.CLOSED, Stage.ACKNOWLEDGED, (1, 0)),
        (Stage.ACKNOWLEDGED, Stage.NEW, (0, 1)),
        (Stage.NEW, Stage.NEW, (0, 0)),
    ],
)
def test_a_step_moves_what_is_open_and_what_is_fresh(
    before: Stage, after: Stage, moves: tuple[int, int]
) -> None:
    assert steps(before, after) == moves


def test_old_alerts_are_not_among_the_open_ones() -> None:
    """A day for what is low and medium, 30 for what is worse, as the hub counts them."""
    for severity in (LOW, MEDIUM):
        assert is_counted(severity, NOON - timedelta(hours=23), NOON)
        assert not is_counted(severity, NOON - timedelta(hours=25), NOON)
    for severity in (HIGH, CRITICAL):
        assert is_counted(severity, NOON - timedelta(days=29), NOON)
        assert not is_counted(severity, NOON - timedelta(days=31), NOON)
    assert is_counted(LOW, None, NOON)
