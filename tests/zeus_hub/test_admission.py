"""The tables of who may watch, and of tokens."""

from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, MetaData, Table, insert
from sqlalchemy.exc import IntegrityError

from tests.zeus_hub.engines import opened
from zeus_hub import admission, database
from zeus_hub.database import writing

pytestmark = pytest.mark.usefixtures("both")

WATCHER = {
    "role": "display",
    "name": "lobby",
    "fingerprint": b"f" * 32,
    "enrolled_us": 0,
    "expires_us": 1,
    "sees_all": False,
}
TOKEN = {
    "secret_sha256": b"s" * 32,
    "role": "display",
    "name": "lobby",
    "sees_all": False,
    "created_us": 0,
    "expires_us": 1,
}


def test_nothing_that_is_kept_of_a_secret_is_longer_than_its_hash() -> None:
    tables = admission.tables(MetaData())
    kept = [column for table in tables for column in table.c if isinstance(column.type, LargeBinary)]

    assert {(column.table.name, column.name) for column in kept} == {
        ("watcher", "fingerprint"),
        ("token", "secret_sha256"),
    }
    assert all(isinstance(column.type, LargeBinary) and column.type.length == 32 for column in kept)


@pytest.mark.parametrize(
    ("table", "row", "other"),
    [
        (database.watcher, WATCHER, {"fingerprint": b"g" * 32}),  # a name counts once in its role
        (database.watcher, WATCHER, {"name": "hall"}),  # a certificate is of one watcher
        (database.token, TOKEN, {"name": "hall"}),  # a secret is of one token
    ],
)
def test_none_is_held_by_two(
    tmp_path: Path, table: Table, row: dict[str, object], other: dict[str, object]
) -> None:
    engine = opened(tmp_path)
    with writing(engine) as connection:
        connection.execute(insert(table).values(row))
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(table).values({**row, **other}))


def test_a_display_and_an_operator_may_have_one_name(tmp_path: Path) -> None:
    with writing(opened(tmp_path)) as connection:
        connection.execute(insert(database.watcher).values(WATCHER))
        connection.execute(
            insert(database.watcher).values({**WATCHER, "role": "operator", "fingerprint": b"g" * 32})
        )


@pytest.mark.parametrize(
    ("holder", "row", "table"),
    [
        (database.watcher, WATCHER, database.watcher_client),
        (database.token, TOKEN, database.token_client),
    ],
)
def test_only_clients_that_there_are_can_be_seen(
    tmp_path: Path, holder: Table, row: dict[str, object], table: Table
) -> None:
    client = {"name": "acme", "title": "", "enabled": True, "created_us": 0}
    with writing(opened(tmp_path)) as connection:
        number = connection.execute(insert(holder).values(row).returning(holder.c.id)).scalar_one()
        there = insert(database.client).values(client).returning(database.client.c.id)
        seen = {f"{holder.name}_id": number, "client_id": connection.execute(there).scalar_one()}
        connection.execute(insert(table).values(seen))
    with pytest.raises(IntegrityError), writing(opened(tmp_path)) as connection:
        connection.execute(insert(table).values({**seen, "client_id": seen["client_id"] + 1}))
