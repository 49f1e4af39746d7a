"""What is told of a day or a month, on the command line before it is sent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from socme.errors import OperatorError
from socme.v1.vitals_pb2 import Health
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import NOON, alert
from zeus_hub import chronicle, local
from zeus_hub.commands import report
from zeus_hub.health import Moment
from zeus_hub.local import Pulse

pytestmark = pytest.mark.usefixtures("both")

NOW = NOON + timedelta(days=40)
RULES = """
[receiver.mail]
kind = "mail"
language = "fr"

[[report]]
name = "every day"
kind = "day"
clients = ["acme"]
at = "07:30"
zone = "Europe/Paris"
receivers = ["mail"]
"""


@pytest.fixture
def busy(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a hub that was stopped at 20:00 on the first of July, with alerts of that day and the next."""
    monkeypatch.setattr(report, "utc_now", lambda: NOW)
    engine = place.database([alert(1, name="<b>scan</b>"), alert(2), alert(900)])
    chronicle.record(engine, [("acme", Moment(NOON, Health.HEALTH_UP))])
    engine.dispose()
    local.write_pulse(place.state_dir, Pulse(NOON + timedelta(hours=8), running=False))
    return place


def test_a_day_is_printed_as_it_would_be_told(busy: Place) -> None:
    out = busy.run("report", "day", "--client", "acme", "--for", "2026-07-01")

    assert out.startswith("[SOCme] acme, 2026-07-01: 2 alerts, watched 66.6%\n")
    assert "(times of UTC)" in out
    assert "the hub did not run" in out
    assert "<b>scan</b>" in out


def test_a_month_is_the_last_one_that_is_over(busy: Place) -> None:
    out = busy.run("report", "month", "--client", "acme")

    assert out.startswith("[SOCme] acme, July 2026: nothing seen, watched 1.")
    assert busy.run("report", "month", "--client", "acme", "--for", "2026-07") == out
    assert busy.run("report", "month", "--client", "acme", "--for", "2026-07-31") == out


def test_what_goes_on_ends_now_and_what_has_not_begun_is_refused(busy: Place) -> None:
    assert "to 2026-08-10 12:00:00" in busy.run("report", "month", "--client", "acme", "--for", "2026-08")
    with pytest.raises(OperatorError, match="2026-09 has not begun"):
        busy.try_("report", "month", "--client", "acme", "--for", "2026-09-01")


def test_zone_and_language_are_those_of_the_rules(busy: Place) -> None:
    folder = busy.folder / "routes.d"
    folder.mkdir()
    (folder / "rules.toml").write_text(RULES)

    assert "Europe/Paris" in busy.run("report", "day", "--client", "acme")
    assert "0 alerte, surveillé" in busy.run("report", "day", "--client", "acme")
    assert "alerts" in busy.run("report", "day", "--client", "beta"), "it is not of beta"
    assert "nothing" in busy.run("report", "month", "--client", "acme"), "nor of months"


def test_the_page_is_escaped(busy: Place) -> None:
    out = busy.run("report", "day", "--client", "acme", "--for", "2026-07-01", "--html")

    assert out.startswith("<!doctype html>")
    assert "&lt;b&gt;scan&lt;/b&gt;" in out


def test_what_cannot_be_asked_is_told(busy: Place) -> None:
    with pytest.raises(OperatorError, match="nobody"):
        busy.try_("report", "day", "--client", "nobody")
    for word in ("yesterday", "2026-13", "2026-02-30", "07-01"):
        assert busy.try_("report", "day", "--client", "acme", "--for", word).exit_code == 2


def test_the_pulse_is_of_a_hub_that_runs(busy: Place) -> None:
    """Then how clients are is known until now."""
    local.write_pulse(busy.state_dir, replace(Pulse(NOW), running=True))
    assert datetime(2026, 7, 1, 12, tzinfo=UTC) == NOON

    assert "watched 100.0%" in busy.run("report", "day", "--client", "acme", "--for", "2026-07-01")


@pytest.mark.parametrize(("kind", "when"), [("month", "June 2026"), ("day", "2026-06-30")])
def test_of_a_time_before_the_client_was_there_nothing_is_claimed(busy: Place, kind: str, when: str) -> None:
    on = ("--for", "2026-06-30", "--client", "acme")
    for out in (busy.run("report", kind, *on), busy.run("report", kind, *on, "--html")):
        assert f"acme: {when}" in out
        assert "acme was not watched then: it joined on 2026-07-01 12:00:00" in out
        assert "Nothing happened" not in out
        assert "no time in which" not in out
    assert busy.run("report", kind, *on).startswith(f"[SOCme] acme, {when}: not watched yet\n")
