"""What notices and reports on their way have in common."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from tests.zeus_hub.noticed import NOON, notice
from tests.zeus_hub.reported import draft
from zeus_hub import letters, outbox, reports, schema
from zeus_hub.letters import LONGEST_REASON, Standing, joined

pytestmark = pytest.mark.usefixtures("both")

LATER = NOON + timedelta(minutes=5)


@pytest.mark.parametrize("name", ["outbox", "report"])
def test_what_waits_is_given_up_for_one_receiver_and_stands_as_refused(
    connection: Connection, name: str
) -> None:
    table = schema.METADATA.tables[name]
    for receiver in ("mail", "hive"):
        outbox.put(connection, receiver, notice(), NOON)
        reports.put(connection, receiver, draft(), NOON)

    assert letters.drop(connection, table, "mail", "x\0" + "y" * 2 * LONGEST_REASON, LATER) == 1
    assert letters.drop(connection, table, "mail", "again", LATER) == 0
    hive, mail = letters.standings(connection, table)
    assert (mail.waiting, mail.refused, mail.oldest, mail.reason) == (0, 1, None, "")
    assert (hive.waiting, hive.refused, hive.oldest) == (1, 0, NOON)


def test_two_kinds_of_letters_stand_together_with_the_reason_of_the_older() -> None:
    one = Standing("mail", 1, 2, 3, LATER, "later")
    other = Standing("mail", 4, 5, 6, NOON, "sooner")
    none = Standing("mail", 0, 1, 1, None, "")

    assert joined(one, other) == Standing("mail", 5, 7, 9, NOON, "sooner") == joined(other, one)
    assert joined(one, none) == Standing("mail", 1, 3, 4, LATER, "later") == joined(none, one)
