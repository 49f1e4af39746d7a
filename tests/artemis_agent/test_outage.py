"""For how long no hub has taken anything."""

from artemis_agent.outage import Outage


def look(
    outage: Outage,
    now: float,
    *,
    connected: bool = False,
    turned_away: bool = False,
    waits: bool = True,
    acknowledged: object = None,
) -> float:
    """Look how things stand: badly, but for what is said."""
    return outage.look(
        now, connected=connected, turned_away=turned_away, waits=waits, acknowledged=acknowledged
    )


def test_it_lasts_from_the_start_until_something_is_acknowledged() -> None:
    outage = Outage(100)

    assert look(outage, 700) == 600
    assert look(outage, 800, connected=True, acknowledged=1) == 0
    assert look(outage, 805, acknowledged=1) == 5


def test_a_connection_over_which_nothing_waits_is_none() -> None:
    outage = Outage(0)
    look(outage, 10, connected=True, waits=False)

    assert look(outage, 1000, connected=True, waits=False) == 0
    assert look(outage, 1005, waits=False) == 5


def test_a_connection_over_which_nothing_is_acknowledged_is_one_after_a_while() -> None:
    outage = Outage(0)
    look(outage, 600, connected=True, acknowledged=7)

    assert look(outage, 680, connected=True, acknowledged=7) == 0
    assert look(outage, 690, connected=True, acknowledged=7) == 90


def test_connections_that_end_before_anything_is_acknowledged_do_not_end_it() -> None:
    outage = Outage(0)
    for second in range(0, 600, 20):
        look(outage, second)
        look(outage, second + 10, connected=True)

    assert look(outage, 600) == 600


def test_what_a_connection_acknowledged_that_came_and_went_between_two_looks_counts() -> None:
    """A mail on its way keeps anybody from looking for minutes."""
    outage = Outage(0)
    assert look(outage, 900) == 900

    assert look(outage, 1200, acknowledged=1) == 0
    assert look(outage, 1205, acknowledged=1) == 5


def test_nothing_is_acknowledged_by_the_first_look() -> None:
    outage = Outage(0)

    assert look(outage, 5) == 5
    assert look(outage, 10) == 10


def test_a_hub_that_turns_the_node_away_is_there() -> None:
    outage = Outage(0)

    assert look(outage, 5000, turned_away=True) == 0
    assert look(outage, 5100) == 100
