"""Of vitals that come too fast the newest is taken, and no hour of a ledger is lost."""

from socme.v1.vitals_pb2 import LedgerHour, Vitals
from zeus_hub.heartbeat import EVERY_SECONDS, MOST_HOURS, Heartbeat


def _vitals(name: str, *hours: tuple[int, int]) -> Vitals:
    vitals = Vitals(hostname=name)
    for hour, read in hours:
        entry = vitals.ledger.add(source="eve", read=read)
        entry.hour.FromSeconds(hour * 3600)
    return vitals


def _hours(entries: list[LedgerHour]) -> dict[int, int]:
    return {entry.hour.seconds // 3600: entry.read for entry in entries}


def test_the_first_are_taken_at_once_and_the_next_a_second_later() -> None:
    heartbeat = Heartbeat()
    heartbeat.offer(_vitals("a"))

    assert heartbeat.due(100.0) == 0
    assert heartbeat.take(100.0) == _vitals("a")
    assert heartbeat.due(100.25) == EVERY_SECONDS - 0.25
    assert heartbeat.due(101.0) == 0


def test_of_many_that_wait_the_newest_is_taken() -> None:
    heartbeat = Heartbeat()
    for name in "abc":
        heartbeat.offer(_vitals(name))
    taken = heartbeat.take(0.0)

    assert taken is not None
    assert taken.hostname == "c"
    assert heartbeat.take(0.0) is None


def test_ledgers_of_what_was_passed_over_are_carried_on() -> None:
    """A node sends an hour of its ledger when that changes, and not again."""
    heartbeat = Heartbeat()
    heartbeat.offer(_vitals("a", (1, 10), (2, 20)))
    heartbeat.offer(_vitals("b", (2, 21)))
    heartbeat.offer(_vitals("c", (3, 30)))
    taken = heartbeat.take(0.0)

    assert taken is not None
    assert _hours(list(taken.ledger)) == {1: 10, 2: 21, 3: 30}


def test_a_node_cannot_pile_up_ledgers() -> None:
    heartbeat = Heartbeat()
    for start in range(0, 3 * MOST_HOURS, 100):
        heartbeat.offer(_vitals("a", *((hour, 1) for hour in range(start, start + 100))))
    taken = heartbeat.take(0.0)

    assert taken is not None
    assert len(taken.ledger) == MOST_HOURS
