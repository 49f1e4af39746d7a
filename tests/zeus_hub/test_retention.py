"""How long alerts are kept, for whom, and that a clock which is wrong takes little with it."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from socme.v1.alert_pb2 import Severity
from zeus_hub.config import RetentionSettings
from zeus_hub.database import microseconds
from zeus_hub.plan import Days, Retention
from zeus_hub.retention import DAY_US, OTHER, Horizons, horizons, kept

LOW, MEDIUM, HIGH, CRITICAL = (
    Severity.SEVERITY_LOW,
    Severity.SEVERITY_MEDIUM,
    Severity.SEVERITY_HIGH,
    Severity.SEVERITY_CRITICAL,
)
NOW = microseconds(datetime(2026, 7, 1, tzinfo=UTC))
NONE = Horizons({})
CLIENTS = {1: "acme", 2: "beta"}


def after(settings: Retention, before: Horizons = NONE, *, days: int, now: int = NOW) -> Horizons:
    """Return from when on alerts are kept, where the oldest is so many days old."""
    return horizons(settings, CLIENTS, before, oldest_us=now - days * DAY_US, now_us=now)


def test_without_settings_all_is_kept() -> None:
    assert after(Retention(), days=10_000) == NONE
    assert not NONE.is_past(1, LOW, 0)


def test_a_client_may_have_days_of_its_own() -> None:
    settings = Retention(low=30, high=365, clients={"beta": Days(low=7, medium=90)})

    assert kept(settings, "acme") == {LOW: 30, MEDIUM: None, HIGH: 365, CRITICAL: None, OTHER: None}
    assert kept(settings, "beta") == {LOW: 7, MEDIUM: 90, HIGH: 365, CRITICAL: None, OTHER: None}


def test_what_has_no_known_severity_is_kept_as_long_as_any() -> None:
    settings = Retention(low=1, medium=2, high=40, critical=3)
    found = after(settings, days=50)

    assert kept(settings, "acme")[OTHER] == 40
    assert found.since_us[1, OTHER] == found.since_us[1, HIGH]
    for severity in (0, 77):
        assert Horizons({(1, OTHER): 5}).is_past(1, severity, 4)


def test_what_is_older_is_past_and_only_that() -> None:
    found = after(Retention(low=30), Horizons({(1, LOW): NOW - 30 * DAY_US - 5}), days=31)

    assert found.is_past(1, LOW, NOW - 30 * DAY_US - 1)
    assert not found.is_past(1, LOW, NOW - 30 * DAY_US)
    assert not found.is_past(1, MEDIUM, 0)
    assert not found.is_past(3, LOW, 0)


def test_where_nothing_is_past_nothing_was_ever_taken() -> None:
    """Else a new hub's first report would say that not all is kept of the time before its first alert."""
    assert after(Retention(low=30, high=11), days=10) == NONE


def test_it_goes_on_by_a_day_at_a_time() -> None:
    """Where it begins with old alerts, and where a clock has been put forward by years."""
    settings = Retention(low=30)
    found = after(settings, days=100)
    assert found.since_us[1, LOW] == NOW - 99 * DAY_US
    found = after(settings, found, days=99)
    assert found.since_us[1, LOW] == NOW - 98 * DAY_US
    years = NOW + 3650 * DAY_US
    ahead = horizons(settings, CLIENTS, found, oldest_us=NOW - 98 * DAY_US, now_us=years)

    assert ahead.since_us[1, LOW] == NOW - 97 * DAY_US


def test_it_never_goes_back() -> None:
    """Neither where a clock is put back, nor where more days are set: what is gone is gone."""
    before = Horizons({(1, LOW): NOW, (1, HIGH): 5})

    assert after(Retention(low=30), before, days=1).since_us[1, LOW] == NOW
    assert after(Retention(), before, days=1) == before


@pytest.mark.parametrize("days", [0, -1, 1_000_000])
def test_days_that_make_no_sense_are_refused(days: int) -> None:
    with pytest.raises(ValidationError):
        RetentionSettings(low=days)
