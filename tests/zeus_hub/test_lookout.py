"""What is gathered of nodes and of the hub."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.v1.vitals_pb2 import CanaryVitals, SensorVitals, Vitals
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.engines import opened
from tests.zeus_hub.kit import limits
from zeus_hub import registry
from zeus_hub.accounts import Account
from zeus_hub.canary import LIVE, Tracker, sink_stage
from zeus_hub.clocks import Clocks
from zeus_hub.conditions import NodeFacts, is_silent, judge_node
from zeus_hub.database import writing
from zeus_hub.fleet import Fleet, Key
from zeus_hub.lookout import REDIAL_SECONDS, Lookout, SinkState, Sources
from zeus_hub.settle import Amounts, Settled
from zeus_hub.vigil import Vigil

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
KEY = ("acme", "acme-1")


@dataclass
class World:
    """All that a lookout looks at, set by hand."""

    engine: Engine
    at: float = 1000.0
    wall: float = 0.0
    accounts: dict[str, Account] = field(default_factory=dict)
    clones: dict[Key, str] = field(default_factory=dict)
    sinks: list[SinkState] = field(default_factory=list)
    last: int = 0
    problem: str = ""

    def __post_init__(self) -> None:
        clocks = Clocks(lambda: NOON + timedelta(seconds=self.at + self.wall), lambda: self.at)
        self.fleet = Fleet(self.engine, clocks.wall, clocks.monotonic)
        sources = Sources(
            fleet=self.fleet,
            accounts=lambda: self.accounts,
            clones=lambda: self.clones,
            sinks=lambda: self.sinks,
            last=lambda: self.last,
            journal_problem=lambda: self.problem,
            authority_ends=NOON + timedelta(days=1000),
            certificate_ends=NOON + timedelta(days=100),
        )
        self.lookout = Lookout(sources, Tracker(["store"]), limits(), clocks)

    def node(self) -> NodeFacts:
        """Look at the node."""
        at = self.lookout.look()
        (seen,) = self.fleet.nodes()
        return self.lookout.node(seen, at)

    def wait(self, seconds: float) -> None:
        """Let time pass while the hub looks around."""
        while seconds > 0:
            self.at += min(seconds, 5)
            seconds -= 5
            self.lookout.look()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    engine = opened(tmp_path)
    registry.add_client(engine, "acme", now=NOON)
    with writing(engine) as connection:
        client_id = registry.client_ids(connection, ["acme"])[0]
        expires = NOON + timedelta(days=30)
        registry.put_node(connection, client_id, "acme-1", fingerprint=b"f", enrolled=NOON, expires=expires)
    yield World(engine)
    engine.dispose()


def test_a_node_that_never_came_is_not_expected(world: World) -> None:
    world.wait(1000)
    facts = world.node()

    assert (facts.seen, facts.heard, is_silent(facts)) == (False, False, False)


def test_silence_is_counted_from_the_moment_at_which_it_was_last_heard(world: World) -> None:
    world.wait(REDIAL_SECONDS)
    world.fleet.connected(KEY, 10)
    world.wait(30)
    assert not is_silent(world.node())
    world.fleet.heard(KEY)
    world.wait(30)
    assert not is_silent(world.node())
    world.wait(1)

    assert is_silent(world.node())


def test_a_node_that_has_come_back_gets_no_more_time(world: World) -> None:
    world.fleet.connected(KEY, 10)
    world.wait(31)

    assert is_silent(world.node())


def test_the_clock_on_the_wall_may_jump(world: World) -> None:
    world.wait(REDIAL_SECONDS)
    world.fleet.connected(KEY, 10)
    world.wall = 86_400

    assert world.node().quiet_seconds < 1


def test_a_stream_that_ends_is_no_sign_of_life(world: World) -> None:
    world.wait(REDIAL_SECONDS)
    world.fleet.connected(KEY, 10)
    world.wait(29)
    world.fleet.gone(KEY)
    world.wait(2)

    assert is_silent(world.node())


@pytest.mark.parametrize(("interval", "grace"), [(10, REDIAL_SECONDS), (60, 180)])
def test_a_hub_that_has_just_started_gives_nodes_time_to_come_back(
    tmp_path: Path, world: World, interval: int, grace: float
) -> None:
    """They pause for up to a minute between two attempts."""
    del tmp_path
    sighting = registry.Sighting(connected=True, last_seen=NOON, interval_seconds=interval, vitals=None)
    registry.record_sightings(world.engine, {KEY: sighting})
    world = World(world.engine)
    world.wait(grace - 1)
    assert not is_silent(world.node())
    world.wait(2)

    assert is_silent(world.node())


def test_a_hub_that_stood_still_does_not_take_the_nodes_for_silent(world: World) -> None:
    """SIGSTOP, or a machine that was put to sleep."""
    world.wait(REDIAL_SECONDS)
    world.fleet.connected(KEY, 10)
    world.at += 3600

    assert not is_silent(world.node())
    world.wait(REDIAL_SECONDS + 1)
    assert is_silent(world.node())


def test_a_node_that_is_shut_out(world: World) -> None:
    world.fleet.connected(KEY, 10)
    assert not world.node().shut_out
    registry.disable_client(world.engine, "acme")
    world.fleet._follow(*world.fleet._registered())
    assert world.node().shut_out
    registry.enable_client(world.engine, "acme")
    registry.revoke_node(world.engine, *KEY, now=NOON)
    world.fleet._follow(*world.fleet._registered())

    assert world.node().shut_out


def test_what_was_settled_is_not_told_any_more(world: World) -> None:
    """And what exceeds it is; also of a node that has not come back since the hub started."""
    world.accounts["acme/acme-1"] = Account(taken=9, missing=5)
    slow = world.lookout.slow
    slow.unstored, slow.failing = {KEY: 4}, {KEY: 3}
    facts = world.node()
    assert (facts.missing, facts.unstored, facts.unaccounted) == (5, 4, 3)

    slow.settled = {KEY: Settled(Amounts(missing=5, unstored=3, told=6))}
    slow.failing = {}
    facts = world.node()
    assert (facts.missing, facts.unstored, facts.unaccounted) == (0, 1, 0)
    world.fleet.connected(KEY, 10)
    told = Vitals()
    for unaccounted, counts in ((6, 0), (8, 2)):
        told.spool.unaccounted = unaccounted
        world.fleet.reported(KEY, told)
        assert world.node().unaccounted == counts


def test_what_waits_longer_and_longer_is_late(world: World) -> None:
    world.fleet.connected(KEY, 10)
    told = Vitals()
    for _ in range(60):
        world.wait(10)
        told.spool.oldest_age_seconds = world.at - 1000
        world.fleet.reported(KEY, told)
        facts = world.node()

    assert facts.backlog_grows


def test_what_vitals_say(world: World) -> None:
    world.fleet.connected(KEY, 10)
    for _ in range(3):
        told = Vitals(agent_uptime_seconds=9)
        told.time.FromDatetime(NOON + timedelta(seconds=world.at + 7))
        told.spool.bytes, told.spool.capacity_bytes, told.spool.unaccounted = 90, 100, 4
        told.spool.problem = "full"
        source = told.sources.add(name="eve.json", kind="suricata", problem="gone", last_record_age_seconds=3)
        source.sensor.CopyFrom(SensorVitals(uptime_seconds=5, packets=10, dropped=1))
        world.fleet.reported(KEY, told)
        facts = world.node()
        world.wait(2)

    assert (facts.heard, facts.spool_share, facts.spool_problem, facts.unaccounted) == (True, 0.9, "full", 4)
    assert facts.skew_seconds == pytest.approx(7)
    assert facts.certificate_seconds == pytest.approx(30 * 86_400 - world.at, abs=10)
    (source_facts,) = facts.sources
    assert (source_facts.name, source_facts.problem, source_facts.steady) == ("eve.json", "gone", True)
    assert world.node().sources[0].quiet_seconds == 5
    assert world.lookout.skew_seconds(KEY) == pytest.approx(7)
    assert world.lookout.skew_seconds(("acme", "nobody")) == 0


def test_what_the_hub_counts(world: World) -> None:
    world.fleet.connected(KEY, 10)
    world.accounts["acme/acme-1"] = Account(taken=9, missing=2)
    world.clones[KEY] = "two take turns"
    world.lookout.slow.unstored = {KEY: 3}
    facts = world.node()

    assert (facts.missing, facts.clone, facts.unstored) == (2, "two take turns", 3)


def test_a_canary_that_stops_is_known(world: World) -> None:
    world.fleet.connected(KEY, 10)
    for number in range(1, 6):
        told = Vitals()
        canary = told.sources.add(name="eve.json").canary
        canary.interval_seconds, canary.written, canary.read = 60, number, 1
        world.fleet.reported(KEY, told)
        facts = world.node()
        world.wait(30)

    assert [(lost.source, lost.stage) for lost in facts.lost] == [("eve.json", "tail")]


def stuck(world: World) -> float:
    """Look at the hub; return how long its sink has taken nothing."""
    (sink,) = world.lookout.hub(world.lookout.look()).sinks
    return sink.stuck_seconds


def test_a_sink_is_stuck_while_it_does_not_move_and_there_is_something_for_it(world: World) -> None:
    world.last = 5
    world.sinks = [SinkState("store", 5, "")]
    assert stuck(world) == 0
    world.wait(100)
    assert stuck(world) == 0, "it has everything"
    world.last = 9
    assert stuck(world) == 0
    world.wait(40)
    assert stuck(world) == 40
    world.sinks = [SinkState("store", 6, "")]
    assert stuck(world) == 0, "it moves, if slowly"
    world.wait(40)
    assert stuck(world) == 40
    world.sinks = [SinkState("store", 9, "")]
    assert stuck(world) == 0


def test_a_sink_with_a_problem_is_stuck_even_where_nothing_waits(world: World) -> None:
    world.sinks = [SinkState("store", 0, "")]
    assert stuck(world) == 0
    world.sinks = [SinkState("store", 0, "it is locked")]
    world.wait(30)

    assert stuck(world) == 30


def test_a_hub_that_has_just_started_does_not_know_what_takes_time_to_find_out(world: World) -> None:
    world.last, world.sinks = 9, [SinkState("store", 5, "")]
    world.fleet.connected(KEY, 10)
    told = Vitals()
    told.sources.add(name="eve.json").sensor.packets = 7
    told.sources[0].lag_bytes = 2**30
    told.sources[0].canary.interval_seconds = 60
    told.time.FromDatetime(NOON)
    world.fleet.reported(KEY, told)
    facts = world.node()

    assert {"clock_skew", "clone_suspected", ("unaccounted", "store")} < facts.unsure
    assert ("canary_lost", "eve.json") in facts.unsure
    assert facts.sources[0].unsure == {"lag_growing", "sensor_drops", "sensor_blind"}
    assert not world.lookout.hub(world.at).sinks[0].sure


def test_what_a_hub_has_watched_for_long_enough_it_knows(world: World) -> None:
    world.last, world.sinks = 9, [SinkState("store", 5, "")]
    world.lookout.slow.unstored = {}
    world.fleet.connected(KEY, 10)
    for count in range(120):
        told = Vitals()
        told.sources.add(name="eve.json").sensor.packets = count
        told.sources[0].canary.interval_seconds = 60
        told.time.FromDatetime(NOON + timedelta(seconds=world.at))
        world.fleet.reported(KEY, told)
        facts = world.node()
        world.wait(10)
    assert not world.lookout.hub(world.at).sinks[0].sure
    world.sinks = [SinkState("store", 6, "")]

    assert facts.unsure == frozenset()
    assert facts.sources[0].unsure == frozenset()
    assert world.lookout.hub(world.at).sinks[0].sure


def test_a_node_that_sends_alerts_and_no_vitals_tells_nothing(world: World) -> None:
    """And its canaries, of which none comes, do not arrive."""
    world.fleet.connected(KEY, 10)
    told = Vitals()
    canary = told.sources.add(name="eve.json").canary
    canary.interval_seconds, canary.written, canary.read, canary.spooled = 60, 1, 1, 1
    world.fleet.reported(KEY, told)
    for _ in range(13):
        assert world.node().lost == []
        world.wait(10)
        world.fleet.heard(KEY)
    facts = world.node()

    assert (facts.heard, facts.tells) == (True, False)
    assert [(lost.source, lost.stage) for lost in facts.lost] == [("eve.json", "uplink")]


def test_a_node_that_has_just_come_back_has_not_lost_its_canaries(world: World) -> None:
    """Its vitals come a moment after it does."""
    world.fleet.connected(KEY, 10)
    told = Vitals()
    told.sources.add(name="eve.json").canary.interval_seconds = 60
    world.fleet.reported(KEY, told)
    world.node()
    world.fleet.gone(KEY)
    for _ in range(100):
        world.node()
        world.wait(10)
    world.fleet.connected(KEY, 10)

    assert world.node().lost == []


def test_what_the_hub_knows_of_itself(world: World) -> None:
    world.lookout.slow.free_bytes = 7
    world.problem = "the disk is full"
    facts = world.lookout.hub(world.lookout.look())

    assert (facts.free_bytes, facts.journal_problem) == (7, "the disk is full")
    assert facts.authority_seconds > facts.certificate_seconds > 99 * 86_400


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_looked_at_only_where_it_may_be_different_is_judged_no_differently(
    tmp_path: Path, seed: int
) -> None:
    """Of two hubs in one world, one judges the node at each look, the other when its vigil wants to."""
    chance = random.Random(seed)
    worlds = [World(registered(tmp_path / name)) for name in ("always", "seldom")]
    always, seldom = worlds
    vigil = Vigil(seldom.engine, tmp_path, seldom.lookout, announce, ())
    limits, skipped, kinds = always.lookout.limits, 0, set()
    for _ in range(600):
        happen(worlds, chance)
        at = always.lookout.look()
        (seen,) = always.fleet.nodes()
        judged = judge_node(always.lookout.node(seen, at), limits)
        before = vigil._judged.get(KEY)
        await vigil.look()
        skipped += vigil._judged[KEY] is before
        kinds |= {finding.kind for finding in judged.findings}

        assert vigil._judged[KEY] == judged
    for world in worlds:
        world.engine.dispose()

    assert skipped > 100, "else nothing is proved"
    assert len(kinds) > 2, "the same"


async def announce(*_: object) -> None:
    """Tell nobody."""


def registered(folder: Path) -> Engine:
    """Return a database that knows the node."""
    folder.mkdir()
    engine = opened(folder)
    registry.add_client(engine, "acme", now=NOON)
    with writing(engine) as connection:
        (client_id,) = registry.client_ids(connection, ["acme"])
        expires = NOON + timedelta(days=14, seconds=1500)
        registry.put_node(connection, client_id, "acme-1", fingerprint=b"f", enrolled=NOON, expires=expires)
    return engine


def happen(worlds: list[World], chance: random.Random) -> None:
    """Let a second or more pass, and the same things happen in all worlds."""
    seconds = chance.choice([1, 1, 1, 1, 1.25, 2, 4, 9])
    vitals, number = told(chance, worlds[0]), chance.randrange(1000)
    events: list[tuple[float, Callable[[World], object]]] = [
        (60, lambda world: world),
        (25, lambda world: world.fleet.reported(KEY, vitals)),
        (8, lambda world: world.fleet.heard(KEY)),
        (2, lambda world: world.fleet.connected(KEY, 10 + 50 * (number % 2))),
        (2, lambda world: world.fleet.gone(KEY)),
        (6, lambda world: arrive(world, number)),
        (1, lambda world: world.accounts.update({"acme/acme-1": Account(missing=number % 3)})),
        (1, lambda world: setattr(world, "clones", {KEY: "twice"} if number % 2 else {})),
        (1, lambda world: setattr(world, "problem", "" if world.problem else "full")),
        (1, lambda world: setattr(world.lookout.slow, "unstored", {KEY: number % 2})),
        (0.3, lambda world: setattr(world, "at", world.at + 600)),  # it stood still
    ]
    (happens,) = chance.choices([event for _, event in events], [weight for weight, _ in events])
    for world in worlds:
        world.at += seconds
        happens(world)


def told(chance: random.Random, world: World) -> Vitals:
    """Return vitals in which one thing and another may be wrong."""
    vitals = Vitals(agent_uptime_seconds=int(world.at))
    vitals.time.FromDatetime(NOON + timedelta(seconds=world.at + chance.choice([0, 0, 0, 300])))
    vitals.spool.oldest_age_seconds = chance.choice([0, 0, chance.randrange(1000)])
    vitals.spool.capacity_bytes, vitals.spool.bytes = 100, chance.choice([0, 0, 0, 95, 100])
    source = vitals.sources.add(name="eve.json", last_record_age_seconds=chance.choice([1, 1, 50, 280, 3500]))
    source.lag_bytes = chance.choice([0, 0, int(world.at) * 10**6])
    source.problem = chance.choice(["", "", "", "", "gone"])
    if chance.random() < 0.9:
        packets = int(world.at) // 100 * 1000
        source.sensor.uptime_seconds, source.sensor.packets = int(world.at), packets
        source.sensor.dropped = chance.choice([0, packets // 10])
    number = int(world.at) // 20
    source.canary.CopyFrom(CanaryVitals(interval_seconds=20, written=number, read=number, spooled=number - 1))
    source.canary.acknowledged = max(0, number - chance.choice([1, 2, 9]))
    return vitals


def arrive(world: World, number: int) -> None:
    """Let a canary come out at the end."""
    stored = StoredAlert(client=KEY[0], node=KEY[1])
    stored.alert.origin = "eve.json"
    stored.alert.canary.number = int(world.at) // 20 - number % 3
    stage = LIVE if number % 2 else sink_stage("store")
    world.lookout.tracker.arrived(stage, stored, at=world.at, now=world.lookout.clocks.wall())
