from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.errors import OperatorError
from tests.zeus_hub.stored import NOON, database
from zeus_hub import audit, silences
from zeus_hub.database import reading, writing
from zeus_hub.silences import Wish

pytestmark = pytest.mark.usefixtures("both")

HOUR = timedelta(hours=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def wish(match: str = "", hours: float = 1) -> Wish:
    return Wish(client="acme", match=match, until=NOON + hours * HOUR, why="a scan of ours")


def active(engine: Engine, hours: float) -> list[str]:
    with reading(engine) as connection:
        return [each.id for each in silences.active(connection, NOON + hours * HOUR)]


def test_a_silence_holds_until_its_end(engine: Engine) -> None:
    silences.add(engine, wish(), who="ada", now=NOON)

    assert active(engine, 0.99) == ["1"]
    assert active(engine, 1) == []
    assert silences.asked(engine, NOON + 2 * HOUR) == []
    [kept] = silences.asked(engine, NOON + 2 * HOUR, all_of_them=True)
    assert (kept.who, kept.why, kept.until) == ("ada", "a scan of ours", NOON + HOUR)


def test_one_can_be_ended_before_and_both_are_written_down(engine: Engine) -> None:
    made = silences.add(engine, wish('rule.id == "1"'), who="ada", now=NOON)
    silences.end(engine, made.number, who="bob", now=NOON + HOUR / 2)
    silences.end(engine, made.number, who="bob", now=NOON + HOUR / 2)

    assert active(engine, 0.6) == []
    ended, added = audit.entries(engine)
    assert (ended.actor, ended.action, added.actor, added.action) == (
        "bob",
        "silence end",
        "ada",
        "silence add",
    )
    assert added.details["match"] == 'rule.id == "1"'


def test_there_are_not_too_many(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences, "MOST_ACTIVE", 2)
    for _ in range(2):
        silences.add(engine, wish(), who="ada", now=NOON)
    with pytest.raises(OperatorError, match="silences already"):
        silences.add(engine, wish(), who="ada", now=NOON)
    silences.add(engine, wish(hours=5), who="ada", now=NOON + 2 * HOUR)


def test_one_that_cannot_be_read_any_more_holds_nothing_back(engine: Engine) -> None:
    """As after an update that took a name away from the language."""
    silences.add(engine, wish(), who="ada", now=NOON)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE silence SET match = 'nonsense(('")

    assert active(engine, 0.5) == []
    assert len(silences.asked(engine, NOON)) == 1
