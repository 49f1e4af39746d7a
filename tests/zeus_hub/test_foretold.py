"""Alerts that a node told people of before the hub had them."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.stored import NOON, alert, database
from zeus_hub import foretold, node_told, schema
from zeus_hub.database import reading, writing

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def report(numbers: Sequence[int], node: str = "acme-1") -> StoredAlert:
    made = StoredAlert(client="acme", node=node)
    made.alert.CopyFrom(node_told.report("acme", node, [each.to_bytes(16) for each in numbers], NOON))
    return made


def take(engine: Engine, *alerts: StoredAlert, days: float = 0) -> set[int]:
    with writing(engine) as connection:
        return set(foretold.take(connection, alerts, NOON + timedelta(days=days)))


def kept(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(schema.told_by_node)).scalar_one()


def test_those_that_come_later_or_together_with_the_report_are_known_once(engine: Engine) -> None:
    assert take(engine, alert(9), report([1, 2]), alert(1)) == {1, 2}
    assert take(engine, alert(3), alert(2)) == {1}
    assert kept(engine) == 0
    assert take(engine, alert(1), alert(2)) == set()


def test_a_report_that_comes_again_with_more_is_taken(engine: Engine) -> None:
    take(engine, report([1]))
    take(engine, report([1, 2]))

    assert kept(engine) == 2
    assert take(engine, alert(1), alert(2)) == {0, 1}


def test_nodes_know_of_their_own_alerts_alone(engine: Engine) -> None:
    take(engine, report([1], node="acme-2"))

    assert take(engine, alert(1)) == set()
    assert take(engine, alert(1, place="acme/acme-2")) == {0}


def test_an_alert_that_no_report_of_the_hub_is_names_none(engine: Engine) -> None:
    """Only SOCme itself says such things."""
    forged = alert(1)
    forged.alert.told.append((2).to_bytes(16))
    take(engine, forged)

    assert take(engine, alert(2)) == set()


def test_what_never_comes_is_forgotten_and_no_node_fills_the_disk(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foretold, "MOST_OF_A_NODE", 5)
    take(engine, report(range(1, 4)))
    take(engine, report(range(11, 21)))
    assert kept(engine) == 5
    take(engine, report([30]), days=41)
    assert kept(engine) == 1


def test_very_many_are_taken(engine: Engine) -> None:
    take(engine, report(range(2000)))

    assert len(take(engine, *(alert(number) for number in range(2000)))) == 2000
