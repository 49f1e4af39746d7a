"""What came of an alert beyond the hub."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from tests.zeus_hub import engines
from tests.zeus_hub.noticed import FOREVER, notice
from tests.zeus_hub.stored import NOON, alert, database, keep
from tests.zeus_hub.test_outcomes import CLOSED
from zeus_hub import aftermath, groups, letters, outbox, outcomes
from zeus_hub.database import reading, writing
from zeus_hub.letters import State
from zeus_hub.receivers.contract import Receipt
from zeus_hub.routes.group import Ticket
from zeus_hub.routes.kept import Routed
from zeus_hub.triage import Ref

pytestmark = pytest.mark.usefixtures("both")

A, B = "a" * 32, "b" * 32
ONE, OTHER = Ref("acme", "acme-1", bytes(15) + b"\1"), Ref("beta", "beta-1", bytes(15) + b"\1")
LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return a database in which the first alert went into A and B, and one of beta's with its id nowhere."""
    made = database(tmp_path)
    keep(made, [alert(1), alert(1, place="beta/beta-1")])
    with writing(made) as connection:
        routed = Routed(tickets=(Ticket(A, 1, 0), Ticket(B, 4, 0)))
        groups.keep_routed(connection, {1: routed})
    yield made
    made.dispose()


def put(connection: Connection, group: str, receiver: str, *, number: int = 1) -> outbox.Letter:
    """Let a receiver be told of a group."""
    outbox.put(connection, receiver, notice(group, number=number), NOON)
    letter = outbox.next_of(connection, receiver, FOREVER)
    assert letter
    return letter


def test_an_alert_that_nobody_was_told_of_has_none(engine: Engine) -> None:
    assert aftermath.of(engine, ONE) == []
    assert aftermath.of(engine, OTHER) == []
    assert aftermath.of(engine, Ref("acme", "acme-1", bytes(16))) == []


def test_each_receiver_of_each_group_is_named_with_what_came_of_it(engine: Engine) -> None:
    with writing(engine) as connection:
        outbox.told(connection, put(connection, A, "hive"), Receipt("~7", ("a field was refused",)), NOON)
        outbox.told(connection, put(connection, A, "hive", number=2), Receipt("~7"), LATER)
        put(connection, A, "hive", number=3)
        outbox.refused(connection, put(connection, A, "soc"), "no such mailbox", NOON)
        put(connection, B, "mail")
        put(connection, "c" * 32, "mail")
        outcomes.keep(connection, "hive", "acme", [replace(CLOSED, group=A)], lambda client: client == "acme")

    hive, soc, mail = aftermath.of(engine, ONE)
    assert (hive.group, hive.receiver, hive.state) == (A, "hive", State.WAITING)
    assert (hive.at, hive.reference, hive.outcome) == (LATER, "~7", CLOSED)
    assert (soc.group, soc.receiver, soc.state, soc.at, soc.outcome) == (A, "soc", State.REFUSED, None, None)
    assert (mail.group, mail.receiver, mail.state, mail.at) == (B, "mail", State.WAITING, None)
    assert aftermath.of(engine, OTHER) == []


def test_what_people_made_of_it_outlives_the_outbox(engine: Engine) -> None:
    with writing(engine) as connection:
        letter = put(connection, A, "hive")
        outcomes.keep(connection, "hive", "acme", [replace(CLOSED, group=A)], lambda client: client == "acme")
        outbox.told(connection, letter, Receipt("~1"), NOON)
        assert outbox.forget(connection, NOON + 2 * letters.KEPT) == 1

    [hive] = aftermath.of(engine, ONE)
    assert (hive.receiver, hive.state, hive.at) == ("hive", None, None)
    assert (hive.reference, hive.outcome) == ("~1", CLOSED)


def test_a_group_is_found_without_reading_the_whole_outbox(tmp_path: Path) -> None:
    with engines.using(engines.SQLITE):
        engine = engines.opened(tmp_path / "plan")
    with reading(engine) as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT receiver FROM outbox WHERE group_key IN ('a', 'b') ORDER BY number"
        ).all()

    assert any("ix_outbox_group_key_receiver" in str(step) for step in plan)
