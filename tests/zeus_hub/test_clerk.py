"""Reports are written when they are due: once for each client and period, over restarts and changes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from socme.v1.vitals_pb2 import Health
from tests.zeus_hub.noticed import FOREVER
from tests.zeus_hub.routes.made import HERE
from tests.zeus_hub.stored import alert, database, keep
from zeus_hub import chronicle, digest, recount, registry, reports
from zeus_hub.clerk import Clerk
from zeus_hub.database import reading, writing
from zeus_hub.health import AWAY, Moment
from zeus_hub.periods import Period
from zeus_hub.receivers.contract import Receipt
from zeus_hub.registry import Client, Node
from zeus_hub.reports import Draft, Letter
from zeus_hub.routes.rules import Report, Rules

pytestmark = pytest.mark.usefixtures("both")

PARIS = ZoneInfo("Europe/Paris")
DAY = Report(
    name="every day",
    place=HERE,
    kind="day",
    clients=None,
    at=time(7, 30),
    zone=PARIS,
    receivers=("mail", "boss"),
)
MONTH = replace(DAY, name="every month", kind="month", receivers=("mail",), clients=frozenset({"acme"}))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def clerk(engine: Engine, *agreed: Report) -> Clerk:
    made = Clerk(engine)
    made.heed(Rules(reports=agreed))
    return made


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def waiting(engine: Engine, receiver: str = "mail") -> list[Letter]:
    """Return what waits for a receiver, in order, and let it be told."""
    found = []
    with writing(engine) as connection:
        while letter := reports.next_of(connection, receiver, FOREVER):
            found.append(letter)
            reports.told(connection, letter, Receipt(), letter.due)
    return found


def told(engine: Engine, receiver: str = "mail") -> list[str]:
    return [f"{each.draft.content.client} {each.draft.period}" for each in waiting(engine, receiver)]


def test_each_client_has_a_report_of_its_own_when_it_is_due(engine: Engine) -> None:
    keep(engine, [alert(1), alert(2, place="beta/beta-1"), alert(3, place="beta/beta-1")])
    made = clerk(engine, DAY)

    assert made.step(at("2026-07-02 07:29:59"), ()) == frozenset()
    assert made.step(at("2026-07-02 07:30:00"), ()) == {"mail", "boss"}
    letters = waiting(engine)
    assert [sum(n for _, n in each.draft.content.counts) for each in letters] == [1, 2]
    assert [each.draft.content.client for each in letters] == ["acme", "beta"]
    assert letters[0].draft.content.end == at("2026-07-02 00:00:00")
    assert told(engine, "boss") == ["acme 2026-07-01", "beta 2026-07-01"]


def test_nothing_is_written_twice_over_restarts_and_clocks_that_are_set_back(engine: Engine) -> None:
    made = clerk(engine, DAY, MONTH)
    for now in ("2026-07-02 07:30", "2026-07-02 07:31", "2026-07-01 23:00", "2026-07-02 08:00"):
        made.step(at(now), ())
        clerk(engine, DAY, MONTH).step(at(now), ())
    clerk(engine, replace(DAY, at=time(6, 0), zone=ZoneInfo("Europe/Rome"))).step(at("2026-07-02 09:00"), ())

    assert told(engine) == ["acme 2026-07-01", "beta 2026-07-01"]
    assert clerk(engine, DAY).step(at("2026-07-03 07:30"), ()) == {"mail", "boss"}
    assert told(engine) == ["acme 2026-07-02", "beta 2026-07-02"]


def test_a_hub_that_was_down_tells_late_within_a_day(engine: Engine) -> None:
    made = clerk(engine, DAY)

    made.step(at("2026-07-05 07:29"), ())
    assert told(engine) == ["acme 2026-07-03", "beta 2026-07-03"], "and the days before are gone"


def fails_for_acme(error: Exception) -> Callable[..., digest.Report]:
    """Return recount.report as it fails of one client, the first."""
    really = recount.report

    def report(
        engine: Engine, client: Client, period: Period, nodes: Iterable[Node], *, now: datetime
    ) -> digest.Report:
        if client.name == "acme":
            raise error
        return really(engine, client, period, nodes, now=now)

    return report


def test_a_step_that_ends_in_the_middle_goes_on_where_it_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, put = clerk(engine, DAY), reports.put

    def fails_for_beta(connection: Connection, receiver: str, draft: Draft, now: datetime) -> None:
        if draft.content.client == "beta":
            raise OperationalError("", None, Exception("power cut"))
        put(connection, receiver, draft, now)

    with monkeypatch.context() as patch:
        patch.setattr(reports, "put", fails_for_beta)
        with pytest.raises(OperationalError):
            made.step(at("2026-07-02 07:30"), ())
    made.step(at("2026-07-02 07:31"), ())

    assert told(engine) == ["acme 2026-07-01", "beta 2026-07-01"]


def test_a_fault_with_one_client_holds_up_no_other_and_is_tried_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(DAY, name="another")
    made = clerk(engine, DAY, other)
    with monkeypatch.context() as patch:
        patch.setattr(recount, "report", fails_for_acme(ZeroDivisionError()))
        assert made.step(at("2026-07-02 07:30:00"), ()) == {"mail", "boss"}
        assert made.step(at("2026-07-02 07:30:30"), ()) == frozenset()
    assert told(engine) == ["beta 2026-07-01", "beta 2026-07-01"]
    faults = [each for each in caplog.messages if each.startswith("fault in writing the report")]
    assert faults == [f"fault in writing the report {name} of acme" for name in ("every day", "another")]

    assert made.step(at("2026-07-02 07:31:00"), ()) == {"mail", "boss"}
    assert told(engine) == ["acme 2026-07-01", "acme 2026-07-01"]


def test_a_database_that_is_away_is_no_fault_with_a_client(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "report", fails_for_acme(OperationalError("", None, Exception("away"))))

    with pytest.raises(OperationalError):
        clerk(engine, DAY).step(at("2026-07-02 07:30"), ())


def test_what_is_wrong_with_a_report_is_said_once_while_it_is_due(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recount, "report", fails_for_acme(ZeroDivisionError()))
    made = clerk(engine, replace(DAY, clients=frozenset({"acme", "nobody"})))
    for day in (2, 3):
        for minute in (30, 31, 32):
            made.step(at(f"2026-07-{day:02} 07:{minute}"), ())

    assert caplog.text.count("a report is of a client that there is not") == 2
    assert caplog.text.count("fault in writing the report") == 2
    assert len(made._odd) == 2


def test_who_is_added_to_a_report_is_told_and_nobody_else_again(engine: Engine) -> None:
    clerk(engine, replace(DAY, receivers=("mail",))).step(at("2026-07-02 07:30"), ())
    told(engine)

    assert clerk(engine, DAY).step(at("2026-07-02 07:31"), ()) == {"boss"}


def test_clients_that_are_shut_out_are_told_of_where_they_are_named_alone(engine: Engine) -> None:
    registry.disable_client(engine, "acme")
    clerk(engine, DAY, MONTH).step(at("2026-08-01 07:30"), ())

    assert told(engine) == ["beta 2026-07-31", "acme 2026-07"]


def test_a_client_of_later_has_no_report_and_one_that_there_is_not_is_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    named = replace(DAY, clients=frozenset({"acme", "nobody"}))
    made = clerk(engine, named)
    for minute in (30, 31):
        made.step(at(f"2026-07-01 07:{minute}"), ())

    assert told(engine) == [], "it was added on the first of July"
    assert caplog.text.count("a report is of a client that there is not") == 1


def test_a_month_in_which_the_hub_was_down_for_hours_says_so(engine: Engine) -> None:
    """October in Paris has an hour more than 31 days."""
    start = at("2026-10-01 00:00")
    up, unknown = Health.HEALTH_UP, Health.HEALTH_UNSPECIFIED
    gone, back = at("2026-10-24 23:00"), at("2026-10-25 04:00")
    moments = [Moment(start - timedelta(days=9), up), Moment(gone, unknown, AWAY), Moment(back, up)]
    chronicle.record(engine, [("acme", moment) for moment in moments])
    clerk(engine, MONTH).step(at("2026-11-01 07:30"), ())
    [letter] = waiting(engine)
    watched = letter.draft.content.watched

    assert letter.draft.content.end - letter.draft.content.start == timedelta(hours=745)
    assert watched.whole == timedelta(hours=745)
    assert [(gap.end - gap.start, gap.reason) for gap in watched.gaps] == [(timedelta(hours=6), AWAY)]
    assert watched.seeing == timedelta(hours=739)


def test_what_is_done_is_remembered_only_while_it_is_due(engine: Engine) -> None:
    made = clerk(engine, DAY)
    for day in range(2, 30):
        made.step(at(f"2026-07-{day:02} 07:30"), ())

    assert len(made._done) == 1
    with reading(engine) as connection:
        assert reports.standings(connection)[0].waiting == 56
