"""For how long no hub has taken anything."""

from artemis_agent.outage import Outage


def test_it_lasts_from_the_start_until_something_is_acknowledged() -> None:
    outage = Outage(100)

    assert outage.look(700, connected=False, turned_away=False, waits=True, acknowledged=None) == 600
    assert outage.look(800, connected=True, turned_away=False, waits=True, acknowledged=1) == 0
    assert outage.look(805, connected=False, turned_away=False, waits=True, acknowledged=1) == 5


def test_a_connection_over_which_nothing_waits_is_none() -> None:
    outage = Outage(0)
    outage.look(10, connected=True, turned_away=False, waits=False, acknowledged=None)

    assert outage.look(1000, connected=True, turned_away=False, waits=False, acknowledged=None) == 0
    assert outage.look(1005, connected=False, turned_away=False, waits=False, acknowledged=None) == 5


def test_a_connection_over_which_nothing_is_acknowledged_is_one_after_a_while() -> None:
    outage = Outage(0)
    outage.look(600, connected=True, turned_away=False, waits=True, acknowledged=7)

    assert outage.look(680, connected=True, turned_away=False, waits=True, acknowledged=7) == 0
    assert outage.look(690, connected=True, turned_away=False, waits=True, acknowledged=7) == 90


def test_connections_that_end_before_anything_is_acknowledged_do_not_end_it() -> None:
    outage = Outage(0)
    for second in range(0, 600, 20):
        outage.look(second, connected=False, turned_away=False, waits=True, acknowledged=None)
        outage.look(second + 10, connected=True, turned_away=False, waits=True, acknowledged=None)

    assert outage.look(600, connected=False, turned_away=False, waits=True, acknowledged=None) == 600


def test_what_a_connection_acknowledged_that_came_and_went_between_two_looks_counts() -> None:
    """A mail on its way keeps anybody from looking for minutes."""
    outage = Outage(0)
    assert outage.look(900, connected=False, turned_away=False, waits=True, acknowledged=None) == 900

    assert outage.look(1200, connected=False, turned_away=False, waits=True, acknowledged=1) == 0
    assert outage.look(1205, connected=False, turned_away=False, waits=True, acknowledged=1) == 5


def test_nothing_is_acknowledged_by_the_first_look() -> None:
    outage = Outage(0)

    assert outage.look(5, connected=False, turned_away=False, waits=True, acknowledged=None) == 5
    assert outage.look(10, connected=False, turned_away=False, waits=True, acknowledged=None) == 10


def test_a_hub_that_turns_the_node_away_is_there() -> None:
    outage = Outage(0)

    assert outage.look(5000, connected=False, turned_away=True, waits=True, acknowledged=None) == 0
    assert outage.look(5100, connected=False, turned_away=False, waits=True, acknowledged=None) == 100
