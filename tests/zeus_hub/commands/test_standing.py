"""How nodes and clients are, for commands; test_node and test_client show it in the commands themselves."""

from datetime import UTC, timedelta

import pytest

from socme.v1.vitals_pb2 import Health
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import NOON
from zeus_hub import chronicle, registry
from zeus_hub.commands import standing, state
from zeus_hub.health import Moment
from zeus_hub.local import Pulse, write_pulse

pytestmark = pytest.mark.usefixtures("both")


def load(place: Place) -> standing.Standings:
    settings = state.read_plan(place.config)
    with state.opened(settings) as engine:
        return standing.load(engine, settings, NOON)


def test_a_hub_that_never_ran_is_not_live(place: Place) -> None:
    place.database().dispose()

    assert not load(place).is_live


def test_a_pulse_is_good_for_some_seconds(place: Place) -> None:
    place.database().dispose()
    for seconds, live in ((0, True), (20, True), (21, False), (-21, False)):
        write_pulse(place.state_dir, Pulse(NOON - timedelta(seconds=seconds)))

        assert load(place).is_live is live
    write_pulse(place.state_dir, Pulse(NOON, running=False))
    assert not load(place).is_live, "it was stopped"


def test_the_time_in_which_no_hub_ran_counts_as_unseen(place: Place) -> None:
    engine = place.database()
    chronicle.record(engine, [("acme", Moment(NOON - timedelta(days=3), Health.HEALTH_UP))])
    client = registry.get_client(engine, "acme")
    engine.dispose()
    write_pulse(place.state_dir, Pulse(NOON - timedelta(hours=6)))
    status = load(place).client(client, [])

    assert (status.health, status.seeing) == (Health.HEALTH_UNSPECIFIED, 0.75)
    assert status.since.ToDatetime(UTC) == NOON - timedelta(hours=6)
