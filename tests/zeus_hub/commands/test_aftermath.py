"""What came of an alert, as `zeus alert show` tells it."""

from dataclasses import replace

import pytest

from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.noticed import FOREVER, notice
from tests.zeus_hub.stored import NOON, alert
from tests.zeus_hub.test_outcomes import CLOSED, IMPORTED
from zeus_hub import groups, outbox, outcomes
from zeus_hub.aftermath import Told
from zeus_hub.commands import aftermath
from zeus_hub.database import writing
from zeus_hub.letters import State
from zeus_hub.receivers.contract import Receipt
from zeus_hub.receivers.thehive.outcome import Outcome
from zeus_hub.routes.group import Ticket
from zeus_hub.routes.kept import Routed

pytestmark = pytest.mark.usefixtures("both")

GROUP = "a" * 32
ID = f"{1:032x}"
HOSTILE = "<b>[bold]\x1b[31m\u202e\r\nnext"


@pytest.fixture
def told(place: Place) -> Place:
    """Return a hub with an alert that was closed elsewhere with hostile words; "soc" is yet to be told."""
    engine = place.database([alert(1), alert(2)])
    with writing(engine) as connection:
        groups.keep_routed(connection, {1: Routed(tickets=(Ticket(GROUP, 1, 0),))})
        for receiver in ("hive", "soc"):
            outbox.put(connection, receiver, notice(GROUP), NOON)
        letter = outbox.next_of(connection, "hive", FOREVER)
        assert letter
        outbox.told(connection, letter, Receipt("~1"), NOON)
        made = replace(CLOSED, summary=HOSTILE)
        outcomes.keep(connection, "hive", "acme", [IMPORTED, made], lambda client: client == "acme")
    engine.dispose()
    return place


def test_scripts_get_all_of_it(told: Place) -> None:
    [shown] = told.objects("alert", "show", ID, "--json")

    assert shown["groups"] == [
        {
            "id": GROUP,
            "receivers": [
                {
                    "name": "hive",
                    "state": "told",
                    "told": "2026-07-01T12:00:00.000000Z",
                    "reference": "~1",
                    "outcome": {
                        "of": "case",
                        "stage": "Closed",
                        "status": "TruePositive",
                        "summary": HOSTILE,
                        "impact": "",
                        "case": 7,
                        "changed": "2026-07-01T12:00:00.000000Z",
                    },
                },
                {"name": "soc", "state": "waiting", "told": None, "reference": ""},
            ],
        }
    ]
    assert not {"triage", "history"} & shown.keys(), "nobody has closed it at the hub"


def test_people_get_a_line_for_each_receiver_and_no_escape_of_it(told: Place) -> None:
    lines = told.run("alert", "show", ID).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("GROUP"))
    hive, soc = lines[head + 1 : head + 3]

    assert hive.split()[:5] == [GROUP[:12], "hive", "2026-07-01", "12:00:00", "~1"]
    assert "2026-07-01 12:00:00 case 7 Closed: TruePositive: <b>[bold]\ufffd[31m" in hive
    assert soc.split() == [GROUP[:12], "soc", "waiting", "-", "-"]
    assert "\x1b" not in "".join(lines)


def test_of_an_alert_that_nobody_was_told_of_there_is_nothing(told: Place) -> None:
    assert "groups" not in told.objects("alert", "show", f"{2:032x}", "--json")[0]
    assert "RECEIVER" not in told.run("alert", "show", f"{2:032x}")
    assert "groups" not in told.objects("alert", "list", "--json")[0]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (replace(IMPORTED, case="", number=0, stage="New"), "alert New"),
        (replace(IMPORTED, status="Imported"), "case 7 Imported: Imported"),
        (replace(CLOSED, number=0, status="", summary=""), "case ~2 Closed"),
        (replace(CLOSED, impact="NoImpact"), "case 7 Closed: TruePositive: NoImpact: Blocked."),
        (None, ""),
    ],
)
def test_how_it_stands_is_said_in_a_few_words(outcome: Outcome | None, said: str) -> None:
    row = aftermath.row(Told(GROUP, "hive", State.TOLD, NOON, "~1", outcome))

    assert row[-1] == (f"2026-07-01 12:00:00 {said}" if said else "")
    long = replace(CLOSED, summary="x" * 4000)
    assert len(str(aftermath.row(Told(GROUP, "hive", None, None, "", long))[-1])) < 250
