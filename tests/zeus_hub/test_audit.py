"""Who did what, and when."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.zeus_hub.stored import NOON, database
from zeus_hub import audit
from zeus_hub.database import writing

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def test_what_was_done_is_told_the_newest_first(engine: Engine) -> None:
    for minutes, action in enumerate(("alert close", "alert reopen")):
        with writing(engine) as connection:
            audit.note(
                connection,
                action,
                "acme/acme-1 00ff",
                actor="ada",
                now=NOON + timedelta(minutes=minutes),
                details={"reason": "é", "changed": 2},
            )
    newest, oldest = audit.entries(engine)

    assert (newest.number, newest.action, newest.time) == (2, "alert reopen", NOON + timedelta(minutes=1))
    assert (oldest.actor, oldest.subject) == ("ada", "acme/acme-1 00ff")
    assert oldest.details == {"reason": "é", "changed": 2}
    assert audit.entries(engine, limit=1) == [newest]


def test_what_was_not_done_is_not_told(engine: Engine) -> None:
    """It stands or falls with the transaction that it tells of."""
    with suppress(ZeroDivisionError), writing(engine) as connection:
        audit.note(connection, "alert close", "", actor="ada", now=NOON, details={})
        1 / 0  # noqa: B018 - what goes wrong in it

    assert audit.entries(engine) == []
