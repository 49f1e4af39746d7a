"""The command `zeus ledger`."""

import asyncio

import pytest
from sqlalchemy import delete, update

from socme.errors import OperatorError
from socme.journal import Journal
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.engines import opened
from tests.zeus_hub.kit import alert, eventually, give, hub
from tests.zeus_hub.test_ledger import BALANCED, hour, node, tell
from zeus_hub import accounts, hours
from zeus_hub import database as tables
from zeus_hub.accounts import Account
from zeus_hub.database import writing
from zeus_hub.hours import failing

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def told(place: Place) -> Place:
    """Eight hours of one source and one of another, all well."""
    engine = place.database()
    node(engine)
    tell(engine, [hour(number, **BALANCED) for number in range(8)])
    tell(engine, [hour(0, source="/alerts\x1b[2J.json", **BALANCED)])
    engine.dispose()
    return place


def spoil(place: Place, **changes: int) -> None:
    """Make the oldest hour of eve.json say something else."""
    engine = opened(place.state_dir)
    wrong = hour(0, **{**BALANCED, **changes})
    with writing(engine) as connection:
        table = tables.ledger
        mine = (table.c.source == wrong.source) & (table.c.hour_us == wrong.hour.ToMicroseconds())
        word = {"body": wrong.SerializeToString(), "unaccounted": failing(wrong)}
        connection.execute(update(table).where(mine).values(word))
    engine.dispose()


def test_the_newest_hours_of_each_source_as_a_table(told: Place) -> None:
    result = told.try_("ledger")
    lines = result.stdout.splitlines()

    assert result.exit_code == 0
    assert lines[0] == "acme/acme-1"
    assert sum(line.startswith("07-01") for line in lines) == 7
    head = "HOUR (UTC) READ STAYED SPOOLED ACKED PENDING DROPPED UNACCOUNTED"
    assert [" ".join(line.split()) for line in lines].count(head) == 2
    newest = next(line for line in lines if line.startswith("07-01 19:00"))
    assert newest.split()[2:] == ["100", "70", "32", "20", "9", "3", "0"]
    assert "2 older hours are not shown; --limit N shows more." in result.stderr
    assert "Everything is accounted for." in result.stderr
    assert "\x1b" not in result.stdout


def test_it_fits_a_narrow_terminal(told: Place) -> None:
    """With counts of a busy site; the widest line is the table's head or a row."""
    million = 2_000_000
    spoil(told, read=million, not_alert=million, spooled=million, acknowledged=million, pending=million)
    result = told.try_("ledger")

    assert max(map(len, result.stdout.splitlines())) <= 80


def test_all_of_it_as_json(told: Place) -> None:
    objects = told.objects("ledger", "--json")

    assert len(objects) == 9
    assert objects[1] == {
        "client": "acme",
        "node": "acme-1",
        "source": "/eve.json",
        "hour": "2026-07-01T19:00:00.000000Z",
        "read": 100,
        "not_alert": 50,
        "filtered": {"min_severity": 10, "wazuh_copy": 5},
        "rolled_up": 4,
        "undecodable": 1,
        "made": 2,
        "spooled": 32,
        "acknowledged": 20,
        "pending": 9,
        "dropped": {"age": 3},
        "held": 6,
        "released": 4,
        "holding": 2,
        "unaccounted": 0,
        "settled": 0,
    }
    assert len(told.objects("ledger", "--json", "--limit", "1")) == 2
    assert len(told.objects("ledger", "--json", "--since", "2026-07-01T18:00")) == 2


def test_an_hour_that_does_not_balance_fails_and_is_always_shown(told: Place) -> None:
    spoil(told, acknowledged=18)
    result = told.try_("ledger")

    assert result.exit_code == 1
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("07-01 12:00") and "18" in line)
    assert line.split()[-1] == "2"
    assert "2 unaccounted for or missing." in result.stderr
    assert told.try_("ledger", "--json", "--limit", "1").exit_code == 1


async def test_the_hub_s_own_equation(place: Place) -> None:
    """Of a hub that runs; exit code 1 once an alert is missing."""
    async with hub(place.state_dir) as zeus:
        machine = await zeus.node()
        await give(zeus, machine, [alert(1), alert(2), alert(3, canary={"number": 1})])
        await eventually(lambda: len(zeus.stored()) == 2)
        text = await asyncio.to_thread(place.run, "ledger", "--node", "acme/acme-1")
        (told,) = [
            one
            for one in await asyncio.to_thread(place.objects, "ledger", "--json")
            if one["client"] == "acme"
        ]

    assert "3 taken + " in text
    assert "= 2 stored + 0 there already + 1 canaries + 0 unreadable" in " ".join(text.split())
    assert told["hub"]["taken"] == 3
    assert (told["hub"]["stored"], told["hub"]["canaries"], told["unaccounted"]) == (2, 1, 0)


def test_alerts_that_never_came_are_missing_and_fail(place: Place) -> None:
    place.database().dispose()
    journal = Journal(place.state_dir / "journal.db")
    account = Account(given_up={"age": 4}, missing=3)
    journal.append([], notes={accounts.key("acme/acme-1"): accounts.encode(account)})
    journal.close()
    result = place.try_("ledger")

    assert result.exit_code == 1
    assert "missing 3, unaccounted 0" in result.stdout
    assert "given up by the node: 4 age" in result.stdout


async def test_a_row_that_was_deleted_from_the_store_fails(place: Place) -> None:
    async with hub(place.state_dir) as zeus:
        machine = await zeus.node()
        await give(zeus, machine, [alert(1), alert(2)])
        await eventually(lambda: len(zeus.stored()) == 2)
        with writing(zeus.engine) as connection:
            connection.execute(delete(tables.alert).where(tables.alert.c.number == 1))
        result = await asyncio.to_thread(place.try_, "ledger")

    assert result.exit_code == 1
    assert "1 rows fewer or more in the store than were put there" in result.stdout


def test_what_is_settled_does_not_fail_and_what_exceeds_it_does(told: Place) -> None:
    """Of an hour, and of what never came; what was settled is still shown, with who did it."""
    spoil(told, acknowledged=18)
    lose(told, 3)
    assert told.try_("ledger").exit_code == 1

    assert "acme/acme-1: settled by " in told.run("ledger", "settle", "acme/acme-1")
    result = told.try_("ledger")
    assert result.exit_code == 0
    assert "Everything is accounted for." in result.stderr
    assert "missing 3, unaccounted 0" in result.stdout
    assert any("settled by" in line and line.endswith(": 5 alerts") for line in result.stdout.splitlines())
    (balance,) = (one for one in told.objects("ledger", "--json") if "hub" in one)
    assert (balance["settled"]["missing"], balance["settled"]["hours"]) == (3, 2)

    lose(told, 4)
    result = told.try_("ledger")
    assert result.exit_code == 1
    assert "1 unaccounted for or missing." in result.stderr


def test_a_node_without_a_loss_can_be_settled(told: Place) -> None:
    assert ": 0 alerts" in told.run("ledger", "settle", "acme/acme-1")
    assert told.try_("ledger").exit_code == 0


def test_a_node_that_there_is_not_cannot_be_settled(told: Place) -> None:
    with pytest.raises(OperatorError, match="there is no node other"):
        told.try_("ledger", "settle", "acme/other")


def test_hours_that_could_not_be_kept_are_told(told: Place) -> None:
    """A node whose clock is off by days has no books here, and a person must know."""
    engine = opened(told.state_dir)
    hours.keep(engine, {}, {("acme", "acme-1"): 7})
    engine.dispose()

    assert "7 times an hour could not be kept: check that its clock is right" in told.run("ledger")


def lose(place: Place, missing: int) -> None:
    """Have the hub miss alerts of the node."""
    journal = Journal(place.state_dir / "journal.db")
    account = Account(missing=missing)
    journal.append([], notes={accounts.key("acme/acme-1"): accounts.encode(account)})
    journal.close()


def test_one_node_alone(told: Place) -> None:
    engine = opened(told.state_dir)
    node(engine, 2, "beta-1")
    tell(engine, [hour(0, unaccounted=5)], node_id=2)
    engine.dispose()

    assert told.try_("ledger", "--node", "acme/acme-1").exit_code == 0
    result = told.try_("ledger", "--node", "beta/beta-1")
    assert result.exit_code == 1
    assert "acme" not in result.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [("acme/other", "there is no node other"), ("nobody/acme-1", "there is no node acme-1")],
)
def test_a_node_that_there_is_not_is_refused(told: Place, name: str, words: str) -> None:
    with pytest.raises(OperatorError, match=words):
        told.try_("ledger", "--node", name)


@pytest.mark.parametrize("name", ["acme", "acme/", "/x", "a/b/c"])
def test_what_is_no_node_is_wrong_usage(told: Place, name: str) -> None:
    assert told.try_("ledger", "--node", name).exit_code == 2
