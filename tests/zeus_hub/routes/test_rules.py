"""What people have agreed on."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.zeus_hub.routes.made import HERE, inhibition, route
from zeus_hub.receivers import kinds
from zeus_hub.rota import Duty, Rota
from zeus_hub.routes.rules import TAKE_REPORTS, OnCall, Receiver, Rules

ZONE = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 6, 29, 9, 0)  # noqa: DTZ001 - by the clock on the wall


def test_it_is_known_what_all_matchers_ask() -> None:
    rules = Rules((route(), route('client == "a"')), (inhibition("severity >= high", 'node == ""'),))

    assert rules.names() == {"client", "severity", "high", "node"}


def test_an_inhibition_is_known_by_what_it_says() -> None:
    one = inhibition("severity >= high", "severity < high")

    assert one.key == inhibition("severity >= high", "severity < high").key
    assert one.key != inhibition("severity >= high", "severity < high", "node").key
    assert one.key != inhibition("severity < high", "severity >= high").key


def test_the_options_of_a_receiver_are_not_shown() -> None:
    assert "hunter2" not in repr(Receiver("mail", "smtp", {"password": "hunter2"}, HERE))


def on_call(*duties: tuple[str, float, float]) -> Rules:
    """Return rules with a rota of duties: the name, from which hour on, and for how many."""
    made = [
        Duty(name, ZONE, MONDAY + timedelta(hours=start), timedelta(hours=length))
        for name, start, length in duties
    ]
    rota = OnCall(
        name="night",
        place=HERE,
        rota=Rota(tuple(made)),
        people={"Ada": "ada", "Grace": "grace", "Bob": "ada"},
        otherwise="soc",
    )
    return Rules(rotas={"night": rota})


@pytest.mark.parametrize(
    ("duties", "told"),
    [
        ([("Ada", 0, 168)], ("ada",)),
        ([], ("soc",)),
        ([("Ada", -10, 10), ("Grace", 9, 1)], ("soc",)),
        ([("Eve", 0, 168)], ("soc",)),
        ([("Ada", 0, 168), ("Grace", 4, 8)], ("grace",)),
        ([("Ada", 0, 168), ("Eve", 4, 8)], ("soc",)),
        ([("Ada", 0, 168), ("Grace", 0, 8)], ("ada", "grace")),
        ([("Ada", 0, 8), ("Bob", 0, 8), ("Eve", 0, 8)], ("ada", "soc")),
    ],
    ids=["her turn", "nobody", "not now", "a stranger", "a stand-in", "a strange one", "two", "one receiver"],
)
def test_a_rota_stands_for_the_receivers_of_who_is_on_call(
    duties: list[tuple[str, float, float]], told: tuple[str, ...]
) -> None:
    now = datetime(2026, 6, 29, 14, 0, tzinfo=ZONE).astimezone(UTC)

    assert on_call(*duties).resolve("night", now) == told


def test_any_other_name_stands_for_itself() -> None:
    assert on_call().resolve("mail", datetime(2026, 6, 29, tzinfo=UTC)) == ("mail",)


def test_kinds_that_can_take_reports_are_there() -> None:
    assert set(kinds.KINDS) >= TAKE_REPORTS == {"mail"}, "see FanOut, which asks whether it is Mail"
