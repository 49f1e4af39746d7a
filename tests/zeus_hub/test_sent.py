"""What the outbox knows of groups; how it is told, test_aftermath.py has."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from tests.zeus_hub import engines
from tests.zeus_hub.noticed import NOON, notice
from zeus_hub import outbox, schema, sent
from zeus_hub.database import writing
from zeus_hub.letters import State
from zeus_hub.receivers.contract import Receipt

pytestmark = pytest.mark.usefixtures("both")

A, B, C = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with writing(engines.opened(tmp_path)) as made:
        yield made


def test_whose_groups_a_receiver_was_to_be_told_of_is_known(connection: Connection) -> None:
    outbox.put(connection, "mail", replace(notice(B), client="beta"), NOON)
    letter = outbox.next_of(connection, "mail", NOON)
    assert letter
    outbox.told(connection, letter, Receipt(), NOON)
    outbox.put(connection, "mail", notice(A), NOON)
    outbox.put(connection, "hive", notice(C), NOON)

    assert sent.clients(connection, "mail", [A, B, C]) == {A: "acme", B: "beta"}
    assert sent.clients(connection, "mail", []) == {}


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"{}", b'{"client": 3}', b'{"client": "\\xff"}', b"\xff"]
)
def test_a_notice_that_is_damaged_is_nobodys_and_harms_no_other(
    connection: Connection, damage: bytes
) -> None:
    for group in (A, B):
        outbox.put(connection, "mail", notice(group), NOON)
    table = schema.outbox
    connection.execute(update(table).where(table.c.group_key == A).values(notice=damage))

    assert sent.clients(connection, "mail", [A, B]) == {B: "acme"}
    assert [(each.group, each.state) for each in sent.of_groups(connection, [A, B])] == [
        (A, State.WAITING),
        (B, State.WAITING),
    ]
