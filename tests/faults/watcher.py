"""Somebody who watches a hub for a whole run, over its restarts: what is stored must have been shown.

It goes on at its last cursor, as a screen does, and keeps what it was shown in that order.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc

from socme import identity, tls
from socme.v1.alert_pb2 import ConditionState
from socme.v1.watch_pb2 import StoredAlert, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.flow.programs import Hub, wait_until

AGAIN_SECONDS = 0.2  # between two attempts
FIRST_SECONDS = 30.0  # in which the first snapshot must have come
Trouble = tuple[str, str, str, str]  # client, node, kind and subject of a condition


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watcher was shown."""

    ids: tuple[str, ...]
    """Of alerts, in that order."""
    own: frozenset[str]
    """Those of them that SOCme says of itself."""
    canaries: int
    lagged: bool
    """Whether it was told that it missed some: it was away for longer than the journal keeps."""


class Watcher:
    """A thread that watches; made by `watching`."""

    def __init__(self, hub: Hub) -> None:
        own = identity.load(hub.folder / "state" / "operator", now=datetime.now(UTC), command="")
        self._address = hub.address
        self._credentials = tls.channel_credentials(key=own.key, chain=own.chain, ca=own.ca)
        self._shown: list[str] = []
        self._own: set[str] = set()
        self._raised: dict[Trouble, bool] = {}
        self._canaries = 0
        self._lagged = False
        self._begun = threading.Event()
        self._ending = threading.Event()
        self._stop: Callable[[], object] = bool
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()
        wait_until(self._begun.is_set, "somebody watches the hub", limit=FIRST_SECONDS, told=hub.program.log)

    @property
    def watched(self) -> Watched:
        """What it was shown so far."""
        return Watched(tuple(self._shown), frozenset(self._own), self._canaries, self._lagged)

    @property
    def raised(self) -> tuple[str, ...]:
        """Kinds of the conditions that are raised now, as far as it was shown."""
        return tuple(sorted(key[2] for key, raised in dict(self._raised).items() if raised))

    def has_seen(self, wanted: set[str]) -> bool:
        """Tell whether it was shown all of these, or cannot be any more."""
        return self._lagged or wanted <= set(self._shown)

    def end(self) -> None:
        """Watch no more."""
        self._ending.set()
        self._stop()
        self._thread.join(FIRST_SECONDS)

    def _run(self) -> None:
        request = WatchRequest()
        while not self._ending.is_set():
            with grpc.secure_channel(
                self._address, self._credentials, options=tls.CHANNEL_OPTIONS
            ) as channel:
                self._follow(WatchStub(channel), request)
            self._ending.wait(AGAIN_SECONDS)

    def _follow(self, stub: WatchStub, request: WatchRequest) -> None:
        call = stub.Alerts(request)
        self._stop = call.cancel
        if self._ending.is_set():
            call.cancel()
        try:
            for event in call:
                self._take(event)
                request.cursor = event.cursor or request.cursor
        except grpc.RpcError:  # the hub was killed; it is dialled again
            return

    def _take(self, event: WatchEvent) -> None:
        match event.WhichOneof("event"):
            case "alerts":
                for stored in event.alerts.alerts:
                    self._note(stored)
            case "lagged":
                self._lagged = True
        self._begun.set()

    def _note(self, stored: StoredAlert) -> None:
        alert = stored.alert
        self._shown.append(alert.id.hex())
        self._canaries += alert.HasField("canary")
        if not alert.HasField("condition"):
            return
        self._own.add(alert.id.hex())
        about = alert.condition
        if about.state != ConditionState.CONDITION_STATE_HAPPENED:
            key = (stored.client, stored.node, about.kind, about.subject)
            self._raised[key] = about.state == ConditionState.CONDITION_STATE_RAISED


@contextmanager
def watching(hub: Hub) -> Iterator[Watcher]:
    """Give somebody who watches a hub that runs, from now on."""
    watcher = Watcher(hub)
    try:
        yield watcher
    finally:
        watcher.end()
