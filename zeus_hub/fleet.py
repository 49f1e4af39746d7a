"""How the nodes are: what they say of themselves, when they were last heard, and what to make of it."""

import asyncio
import itertools
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from google.protobuf.message import DecodeError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.v1.vitals_pb2 import ClientStatus, Health, NodeState, NodeStatus, Vitals
from zeus_hub import history, hours
from zeus_hub.conditions import silence_seconds
from zeus_hub.database import writing
from zeus_hub.health import of_node
from zeus_hub.registry import (
    HUB,
    Client,
    Node,
    Sighting,
    list_clients,
    list_nodes,
    put_sightings,
)
from zeus_hub.roll import Entries
from zeus_hub.samples import Place, Sample, Waiting, sample

LOG = logging.getLogger("zeus.fleet")

POLL_SECONDS = 1.0  # how long a newly enrolled or revoked node may go unnoticed
WRITE_EVERY = 5  # polls between two records of how nodes are; who comes and goes is written at the next one
USUAL_INTERVAL = 30  # seconds between two vitals where a node did not say
INTERVALS_TO_STALE = 3
LARGEST_VITALS = 256 * 1024  # bytes; an honest node's are a few KiB
LONGEST_INTERVAL = 3600  # seconds; silence must show within a bounded time, whatever a node says
FORGET_EVERY = 3600  # polls between two looks for hours that are too old

Key = tuple[str, str]  # client and node


def state(
    *, now: datetime, last_seen: datetime | None, connected: bool, interval_seconds: int, revoked: bool
) -> NodeState.ValueType:
    """Return what to make of a node, as vitals.proto defines it."""
    if revoked:
        return NodeState.NODE_STATE_REVOKED
    if last_seen is None:
        return NodeState.NODE_STATE_NEW
    interval = timedelta(seconds=interval_seconds or USUAL_INTERVAL)
    if not connected:
        return NodeState.NODE_STATE_OFFLINE
    quiet = now - last_seen > INTERVALS_TO_STALE * interval
    return NodeState.NODE_STATE_STALE if quiet else NodeState.NODE_STATE_ONLINE


def state_of(node: Node, now: datetime) -> NodeState.ValueType:
    """Return what to make of a node now."""
    return state(
        now=now,
        last_seen=node.last_seen,
        connected=node.connected,
        interval_seconds=node.interval_seconds,
        revoked=node.shut_out,
    )


def status(node: Node, now: datetime) -> NodeStatus:
    """Return a node as screens see it."""
    message = NodeStatus(
        client=node.client,
        node=node.name,
        state=state_of(node, now),
        health=node.health,
        reasons=node.reasons,
    )
    if node.last_seen is not None:
        message.last_seen.FromDatetime(node.last_seen)
    if node.enrolled is not None:
        message.enrolled.FromDatetime(node.enrolled)
    vitals = _vitals(node.vitals)
    if vitals is not None:
        message.vitals.CopyFrom(vitals)
    return message


@dataclass(frozen=True, slots=True)
class Report:
    """A node's vitals at their arrival."""

    vitals: Vitals
    """Without the ledger."""
    at: float
    """By the hub's monotonic clock, in seconds."""
    time: datetime
    """By the hub's clock on the wall."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A node and how often what is worth telling of it has changed."""

    node: Node
    changes: int
    heard: float | None = None
    """When it was last heard, by the hub's monotonic clock; None: not since the hub started or let it in."""
    report: Report | None = None
    """Its newest vitals; None: none since then."""
    let_in: float = -math.inf
    """When the hub let it in again that it had shut out with its client, by the same clock."""


@dataclass(frozen=True, slots=True)
class SeenClient:
    """A client and how often what is worth telling of it has changed."""

    status: ClientStatus
    changes: int


@dataclass(frozen=True, slots=True)
class News:
    """What is not written down yet."""

    sightings: Mapping[Key, Sighting] = field(default_factory=dict)
    samples: Mapping[Place, Sample] = field(default_factory=dict)
    told: Mapping[Key, dict[hours.Slot, hours.Word]] = field(default_factory=dict)
    """Hours of nodes' ledgers."""
    refused: Counter[Key] = field(default_factory=Counter)
    """How many hours of each could not be kept."""


class Fleet:
    """What is known of all nodes while the hub runs. Not thread-safe: it lives on the event loop."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._monotonic = monotonic
        self._nodes: dict[Key, Seen] = {}
        self._clients: dict[str, SeenClient] = {}
        self.enabled: dict[str, bool] = {}
        """All clients by name, and whether anything is taken from each."""
        self.refused_hours = 0
        """Hours of nodes' ledgers that were not kept, since the start."""
        self._hours: dict[Key, dict[hours.Slot, hours.Word]] = {}
        self._refused = Counter[Key]()  # that is not written down yet
        self._samples = Waiting()
        self._unwritten: set[Key] = set()
        self._touched: set[Key] = set()
        self._pressing = False  # whether a person who looks at the database would be told something wrong
        self._thread = ThreadPoolExecutor(1, "fleet")
        self._entries = Entries(engine)
        self._follow(list_nodes(engine), list_clients(engine))
        self._forget_connections()

    def nodes(self) -> Iterator[Seen]:
        """Return all nodes, by client and name."""
        return iter([self._nodes[key] for key in sorted(self._nodes)])

    def seen(self, key: Key) -> Seen | None:
        """Return a node; None where it is unknown."""
        return self._nodes.get(key)

    def touched(self) -> set[Key]:
        """Return the nodes of which anything has changed since this was asked last.

        That one was heard again in time is no change: it stays what it is for longer.
        """
        touched, self._touched = self._touched, set()
        return touched

    def clients(self) -> Iterator[SeenClient]:
        """Return all clients of which there is something to tell, by name; the hub itself is one."""
        return iter([self._clients[name] for name in sorted(self._clients)])

    def judged(self, key: Key, health: Health.ValueType, reasons: tuple[str, ...]) -> None:
        """Take what to make of a node, and why."""
        seen = self._nodes.get(key)
        if seen is not None and (seen.node.health, seen.node.reasons) != (health, reasons):
            node = replace(seen.node, health=health, reasons=reasons)
            self._nodes[key] = replace(seen, node=node, changes=seen.changes + 1)

    def judged_client(self, status: ClientStatus) -> None:
        """Take what to make of a client, and why."""
        seen = self._clients.get(status.client)
        if seen is None or seen.status != status:
            self._clients[status.client] = SeenClient(status, seen.changes + 1 if seen is not None else 0)

    def connected(self, key: Key, interval_seconds: int) -> None:
        """Take note that a node has a stream."""
        interval = min(interval_seconds, LONGEST_INTERVAL)
        self._pressing = True
        self._change(key, connected=True, interval_seconds=interval, last_seen=self._clock())

    def heard(self, key: Key) -> None:
        """Take note of a sign of life."""
        seen = self._nodes.get(key)
        if seen is not None:
            now = self._monotonic()
            if seen.heard is None or now - seen.heard > silence_seconds(
                seen.node.interval_seconds or USUAL_INTERVAL
            ):
                self._touched.add(key)
            node = replace(seen.node, last_seen=self._clock())
            self._nodes[key] = replace(seen, node=node, heard=now)
            self._unwritten.add(key)

    def reported(self, key: Key, vitals: Vitals) -> bool:
        """Take a node's vitals; return False where they are too large to be taken."""
        bare = _bare(vitals)
        plain = bare.SerializeToString()
        if len(plain) > LARGEST_VITALS:
            return False
        now, at = self._clock(), self._monotonic()
        self._take_hours(key, vitals, now)
        seen = self._nodes.get(key) or Seen(_unknown(key), 0)
        self._pressing |= seen.node.vitals is None
        before = seen.report.vitals if seen.report is not None else _vitals(seen.node.vitals)
        self._samples.add(key, sample(bare, before, int(now.timestamp())))
        node = replace(seen.node, vitals=plain, last_seen=now)
        self._put(
            key, replace(seen, node=node, changes=seen.changes + 1, heard=at, report=Report(bare, at, now))
        )
        return True

    def gone(self, key: Key) -> None:
        """Take note that a node's stream has ended."""
        self._pressing = True
        heard = self._nodes[key].heard if key in self._nodes else None
        self._change(key, connected=False)
        self._nodes[key] = replace(self._nodes[key], heard=heard)  # that was no sign of life

    async def run(self) -> None:
        """Follow the registry and write down what is known, for ever."""
        loop, blind = asyncio.get_running_loop(), False
        try:
            for count in itertools.count(1):
                await asyncio.sleep(POLL_SECONDS)
                due = self._pressing or count % WRITE_EVERY == 0
                news = self._news() if due else News()
                try:
                    self._follow(*await loop.run_in_executor(self._thread, self._registered))
                    if due:
                        self.refused_hours += await loop.run_in_executor(self._thread, self._write, news)
                        news = News()
                        await loop.run_in_executor(self._thread, history.tend, self._engine, self._clock())
                    if count % FORGET_EVERY == 1:
                        await loop.run_in_executor(self._thread, hours.forget, self._engine, self._clock())
                    blind = blind and not due
                except SQLAlchemyError as error:
                    self._give_back(news)
                    if not blind:
                        logs.event(LOG, logging.ERROR, "the registry cannot be used", reason=error)
                    blind = True
        finally:
            last = self._thread.submit(self._write, self._news(whole=True))
            self._thread.shutdown(wait=True)
            if last.exception() is not None:
                logs.event(
                    LOG, logging.ERROR, "how the nodes are was not written down", reason=last.exception()
                )

    def _change(self, key: Key, **changes: object) -> None:
        seen = self._nodes.get(key) or Seen(_unknown(key), 0)
        node = replace(seen.node, **changes)  # type: ignore[arg-type]
        self._put(key, replace(seen, node=node, changes=seen.changes + 1, heard=self._monotonic()))

    def _put(self, key: Key, seen: Seen) -> None:
        self._nodes[key] = seen
        self._unwritten.add(key)
        self._touched.add(key)

    def _take_hours(self, key: Key, vitals: Vitals, now: datetime) -> None:
        if not vitals.ledger:
            return
        told = hours.read(vitals.ledger, now)
        waiting = self._hours.setdefault(key, {})
        waiting.update(told.hours)
        refused = told.refused
        while len(waiting) > hours.MOST_TOLD:
            waiting.pop(next(iter(waiting)))
            refused += 1
        if refused and not self.refused_hours:
            logs.event(
                LOG, logging.WARNING, "ledger hours refused", client=key[0], node=key[1], hours=refused
            )
        self.refused_hours += refused
        self._refused[key] += refused

    def _forget_connections(self) -> None:
        """Take all nodes as not connected, as a hub finds them when it starts; the disk may be full then."""
        for key, seen in self._nodes.items():
            if seen.node.connected:
                self._nodes[key] = replace(seen, node=replace(seen.node, connected=False))
                self._unwritten.add(key)
                self._pressing = True

    def _registered(self) -> tuple[list[Node], list[Client]]:
        """Return the nodes whose entries have changed, and all clients. In the thread."""
        return self._entries.changed(), list_clients(self._engine)

    def _follow(self, nodes: list[Node], clients: list[Client]) -> None:
        """Take over what commands in other processes changed."""
        self.enabled = {client.name: client.enabled for client in clients if client.name != HUB[0]}
        for node in nodes:
            key = (node.client, node.name)
            if key == HUB:  # there because of its alerts; it is no node
                continue
            seen = self._nodes.get(key)
            fresh = _entered(seen, node, self._monotonic())
            if fresh != seen:
                self._nodes[key] = fresh
                self._touched.add(key)

    def _news(self, *, whole: bool = False) -> News:
        """Return and forget what is to be written; if `whole`, also samples that more may be joined to."""
        sightings = {
            key: Sighting(node.connected, node.last_seen, node.interval_seconds, node.vitals)
            for key in self._unwritten
            if (node := self._nodes[key].node).last_seen is not None
        }
        now = None if whole else int(self._clock().timestamp())
        news = News(sightings, self._samples.take(now), self._hours, self._refused)
        self._unwritten.clear()
        self._pressing = False
        self._hours, self._refused = {}, Counter()
        return news

    def _give_back(self, news: News) -> None:
        """Take back what could not be written."""
        self._unwritten |= news.sightings.keys()
        self._samples.give_back(news.samples)
        self._refused += news.refused
        for key, slots in news.told.items():
            self._hours[key] = slots | self._hours.get(key, {})

    def _write(self, news: News) -> int:
        """Write down how nodes are, how they were, and their hours; return how many hours were not kept."""
        if news.sightings or news.samples:
            with writing(self._engine) as connection:
                if news.sightings:
                    put_sightings(connection, news.sightings)
                history.put(connection, news.samples)
        told, refused = news.told, +news.refused
        return hours.keep(self._engine, told, refused) if told or refused else 0


def _entered(seen: Seen | None, entry: Node, at: float) -> Seen:
    """Return a node with what its entry in the registry says now, `at` by the hub's monotonic clock."""
    old = seen.node if seen is not None else entry
    node = replace(
        old, enrolled=entry.enrolled, expires=entry.expires, revoked=entry.revoked, enabled=entry.enabled
    )
    if node.shut_out:  # plain at once: screens need not be told twice
        revoked = node.revoked is not None
        found = of_node((), revoked=revoked, enabled=node.enabled, heard=True, seen=True)
        node = replace(node, health=found.health, reasons=found.reasons)
    if seen is None or node == old:
        return seen or Seen(node, 0)
    fresh = replace(seen, node=node, changes=seen.changes + 1)
    if old.enabled or not node.enabled or node.connected:
        return fresh
    # As when the hub started: what was known of it is old, and it has yet to come back.
    return replace(fresh, heard=None, report=None, let_in=at)


def _bare(vitals: Vitals) -> Vitals:
    """Return vitals without the ledger: it may be that of several messages, and is bounded by itself."""
    if not vitals.ledger:
        return vitals
    bare = Vitals()
    bare.CopyFrom(vitals)
    bare.ClearField("ledger")
    return bare


def _unknown(key: Key) -> Node:
    return Node(*key, None, None, None, connected=False, last_seen=None, interval_seconds=0, vitals=None)


def _vitals(plain: bytes | None) -> Vitals | None:
    if plain is None:
        return None
    try:
        return Vitals.FromString(plain)
    except DecodeError:  # written by a version that is not this one
        return None
