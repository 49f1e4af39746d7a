"""How the nodes are: what they say of themselves, when they were last heard, and what to make of it."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from google.protobuf.message import DecodeError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.v1.vitals_pb2 import NodeState, NodeStatus, Vitals
from zeus_hub.registry import Node, Sighting, forget_connections, list_nodes, record_sightings

LOG = logging.getLogger("zeus.fleet")

POLL_SECONDS = 1.0  # how long a newly enrolled or revoked node may go unnoticed
WRITE_EVERY = 5  # polls between two records of how nodes are; who comes and goes is written at the next one
USUAL_INTERVAL = 10  # seconds between two vitals where a node did not say
INTERVALS_TO_STALE = 3
LARGEST_VITALS = 256 * 1024  # bytes; an honest node's are a few KiB
LONGEST_INTERVAL = 3600  # seconds; silence must show within a bounded time, whatever a node says

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
        revoked=node.revoked is not None,
    )


def status(node: Node, now: datetime) -> NodeStatus:
    """Return a node as screens see it."""
    message = NodeStatus(
        client=node.client,
        node=node.name,
        state=state_of(node, now),
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
class Seen:
    """A node and how often what is worth telling of it has changed."""

    node: Node
    changes: int


class Fleet:
    """What is known of all nodes while the hub runs. Not thread-safe: it lives on the event loop."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._nodes: dict[Key, Seen] = {}
        self._unwritten: set[Key] = set()
        self._pressing = False  # whether a person who looks at the database would be told something wrong
        self._thread = ThreadPoolExecutor(1, "fleet")
        forget_connections(engine)
        for node in list_nodes(engine):
            self._nodes[node.client, node.name] = Seen(node, 0)

    def nodes(self) -> Iterator[Seen]:
        """Return all nodes, by client and name."""
        return iter([self._nodes[key] for key in sorted(self._nodes)])

    def connected(self, key: Key, interval_seconds: int) -> None:
        """Take note that a node has a stream."""
        interval = min(interval_seconds, LONGEST_INTERVAL)
        self._pressing = True
        self._change(key, connected=True, interval_seconds=interval, last_seen=self._clock())

    def heard(self, key: Key) -> None:
        """Take note of a sign of life."""
        seen = self._nodes.get(key)
        if seen is not None:
            self._nodes[key] = Seen(replace(seen.node, last_seen=self._clock()), seen.changes)
            self._unwritten.add(key)

    def reported(self, key: Key, vitals: Vitals) -> bool:
        """Take a node's vitals; return False where they are too large to be taken."""
        plain = vitals.SerializeToString()
        if len(plain) > LARGEST_VITALS:
            return False
        seen = self._nodes.get(key)
        self._pressing |= seen is None or seen.node.vitals is None
        self._change(key, vitals=plain, last_seen=self._clock())
        return True

    def gone(self, key: Key) -> None:
        """Take note that a node's stream has ended."""
        self._pressing = True
        self._change(key, connected=False)

    async def run(self) -> None:
        """Follow the registry and write down what is known, for ever."""
        loop, blind = asyncio.get_running_loop(), False
        try:
            for count in itertools.count(1):
                await asyncio.sleep(POLL_SECONDS)
                due = self._pressing or count % WRITE_EVERY == 0
                sightings = self._sightings() if due else {}
                try:
                    self._follow(await loop.run_in_executor(self._thread, self._registered))
                    await loop.run_in_executor(self._thread, self._write, sightings)
                    blind = False
                except SQLAlchemyError as error:
                    self._unwritten |= sightings.keys()
                    if not blind:
                        logs.event(LOG, logging.ERROR, "the registry cannot be used", reason=error)
                    blind = True
        finally:
            last = self._thread.submit(self._write, self._sightings())
            self._thread.shutdown(wait=True)
            if last.exception() is not None:
                logs.event(
                    LOG, logging.ERROR, "how the nodes are was not written down", reason=last.exception()
                )

    def _change(self, key: Key, **changes: object) -> None:
        seen = self._nodes.get(key) or Seen(_unknown(key), 0)
        self._nodes[key] = Seen(replace(seen.node, **changes), seen.changes + 1)  # type: ignore[arg-type]
        self._unwritten.add(key)

    def _registered(self) -> list[Node]:
        return list_nodes(self._engine, with_vitals=False)

    def _follow(self, registered: list[Node]) -> None:
        """Take over what commands in other processes changed."""
        for node in registered:
            key = (node.client, node.name)
            seen = self._nodes.get(key)
            old = seen.node if seen is not None else _unknown(key)
            fresh = replace(old, enrolled=node.enrolled, expires=node.expires, revoked=node.revoked)
            if seen is None or fresh != old:
                self._nodes[key] = Seen(fresh, seen.changes + 1 if seen is not None else 0)

    def _sightings(self) -> dict[Key, Sighting]:
        found = {
            key: Sighting(node.connected, node.last_seen, node.interval_seconds, node.vitals)
            for key in self._unwritten
            if (node := self._nodes[key].node).last_seen is not None
        }
        self._unwritten.clear()
        self._pressing = False
        return found

    def _write(self, sightings: dict[Key, Sighting]) -> None:
        if sightings:
            record_sightings(self._engine, sightings)


def _unknown(key: Key) -> Node:
    return Node(*key, None, None, None, connected=False, last_seen=None, interval_seconds=0, vitals=None)


def _vitals(plain: bytes | None) -> Vitals | None:
    if plain is None:
        return None
    try:
        return Vitals.FromString(plain)
    except DecodeError:  # written by a version that is not this one
        return None
