"""One run: a plan is carried out on real programs, everything heals, and what is left behind is judged.

python -m tests.faults.run --seed 123
"""

import base64
import json
import random
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.author import Author
from tests.faults.cast import DISK_BYTES, Cast, Clock, cast, corroded, signalled, torn
from tests.faults.judge import Evidence, Gap, Stored, complaints
from tests.faults.lines import FRESH_RULE
from tests.faults.meter import Meter
from tests.faults.plan import HUB, NODE, REREAD, Feed, Plan, Step
from tests.faults.proxy import Fault, Way
from tests.faults.watcher import Watched
from tests.flow.programs import Alert, Follow, Hub, run
from tests.lacking import left_out

MIB = 1024 * 1024
HUB_FREE = 32 * MIB  # below which the hub says that its small disk is nearly full
LEDGER_SECONDS = 10.0  # in which the node's last word must have come
CALM_SECONDS = 90.0  # in which what was wrong must be said to be over: a minute after it is
SHOWN_SECONDS = 10.0  # in which what is stored must have been shown
_GAP = re.compile(r"([\d,]+|number of) bytes from byte ([\d,]+) on")

TICK = 0.02  # seconds between two looks at what is due
RECONNECT_SECONDS = 90.0  # a node that failed often waits for up to a minute
DRAIN_SECONDS = 60.0
GONE_SECONDS = 16.0  # after which what is not there is lost, and must have been reported
QUIET_SECONDS = 1.0  # for which nothing more may come

End = Callable[[], None]


@dataclass(slots=True)
class Stagehand:
    """Does the steps of a plan, and undoes each when its time is over."""

    cast: Cast
    author: Author
    left_out: list[str] = field(default_factory=list)
    """What this machine does not allow."""
    sound_from: dict[int, int] = field(default_factory=dict)
    """The number of each feed's first alert behind the last step that made a node read again."""
    _ends: list[tuple[float, End]] = field(default_factory=list)
    _network: int = 0  # counts the faults of the network: the last one counts

    def begin(self, step: Step) -> None:
        """Do a step; `tick` ends it."""
        end = getattr(self, f"_{step.action}")(step)
        if end is not None:
            end = self._then_noted(end) if step.action in REREAD else end
            self._ends.append((time.monotonic() + step.seconds, end))

    def _then_noted(self, end: End) -> End:
        def noted() -> None:
            end()
            self.sound_from = self.author.next_numbers()

        return noted

    def tick(self) -> None:
        """End what has lasted long enough, and keep the programs running."""
        now = time.monotonic()
        due = [end for moment, end in self._ends if moment <= now]
        self._ends = [each for each in self._ends if each[0] > now]
        for end in due:
            end()
        self.cast.supervise()

    def heal(self) -> None:
        """End everything now."""
        for _, end in self._ends:
            end()
        self._ends = []

    def _kill(self, step: Step) -> End:
        self.cast.want(step.subject, up=False)
        self.cast.program(step.subject).end()
        return lambda: self.cast.want(step.subject, up=True)

    def _stop(self, step: Step) -> End:
        program = self.cast.program(step.subject)
        self.cast.want(step.subject, up=False)
        signalled(program, signal.SIGCONT)
        signalled(program, signal.SIGTERM)
        return lambda: self.cast.want(step.subject, up=True)

    def _freeze(self, step: Step) -> End:
        program = self.cast.program(step.subject)
        signalled(program, signal.SIGSTOP)
        return lambda: signalled(program, signal.SIGCONT)

    def _fill(self, step: Step) -> End | None:
        disk = self.cast.disks[step.subject]
        if not disk.real:
            self.left_out.append("fill: this user may not mount a small disk")
            return None
        disk.fill()
        return disk.free

    def _delay(self, step: Step) -> End:
        return self._be(Fault(delay=step.amount / 1000))

    def _throttle(self, step: Step) -> End:
        return self._be(Fault(bytes_a_second=step.amount))

    def _refuse(self, step: Step) -> End:
        end = self._be(Fault(refused=True))
        self.cast.proxy.cut()
        return end

    def _half_open(self, step: Step) -> End:
        return self._be(Fault(swallowed=Way(step.amount)))

    def _hold(self, step: Step) -> End:
        return self._be(Fault(held=Way(step.amount)))

    def _corrupt(self, step: Step) -> End:
        return self._be(Fault(corrupt_every=step.amount))

    def _cut(self, step: Step) -> None:
        self.cast.proxy.cut()

    def _be(self, fault: Fault) -> End:
        self._network += 1
        number = self._network
        self.cast.proxy.become(fault)

        def end() -> None:
            if number == self._network:
                self.cast.proxy.heal()

        return end

    def _tear(self, step: Step) -> End:
        end = self._kill(step)
        torn(self.cast.spool, step.amount)
        return end

    def _corrode(self, step: Step) -> End:
        end = self._kill(step)
        corroded(self.cast.spool, random.Random(step.amount))
        return end

    def _revert(self, step: Step) -> End:
        copied = self.cast.copy_spool()

        def end() -> None:
            if copied is not None:
                self.cast.node.program.end()
                self.cast.replace_spool(copied)

        return end

    def _forget(self, step: Step) -> End:
        end = self._kill(step)
        if (self.cast.spool.parent / "sure.json").exists():  # else nothing tells it from a first start
            self.cast.replace_spool(None)
        return end

    def _jump(self, step: Step) -> End | None:
        clock: Clock = self.cast.clock
        if not clock.real:
            self.left_out.append("jump: there is no C compiler (cc)")
            return None
        clock.set(step.amount)
        return lambda: clock.set(0)

    def _rotate(self, step: Step) -> None:
        self.author.rotate(int(step.subject))

    def _burst(self, step: Step) -> None:
        self.author.burst(int(step.subject), step.amount)


@dataclass(frozen=True, slots=True)
class Play:
    """Programs, somebody who writes for them, and what they take of the machine."""

    cast: Cast
    author: Author
    meters: Mapping[str, Meter]

    def recover(self) -> float | None:
        """Wait until all is well again and everything has come; return how long fresh alerts took."""
        found = self.cast
        found.wait(lambda: not self.author.writing, "all is written", limit=RECONNECT_SECONDS)
        found.wait(found.connected, "the node is connected again", limit=RECONNECT_SECONDS)
        began = calm = time.monotonic()
        expected = found.stored(FRESH_RULE) + len(self.author.fresh())
        fresh: float | None = None
        pause = threading.Event()
        while time.monotonic() < began + DRAIN_SECONDS and time.monotonic() < calm + QUIET_SECONDS:
            found.supervise()
            pause.wait(TICK)
            if fresh is None and found.stored(FRESH_RULE) >= expected:
                fresh = time.monotonic() - began
            if fresh is None or not found.settled():
                calm = time.monotonic()
        return fresh

    def _give_up(self) -> int:
        """Wait until all is there and acknowledged, or for as long as a node looks for what is gone.

        Return how many alerts are in the spool then; a canary may be on its way at any time, but does not
        stay.
        """
        found, owed = self.cast, len(self.author.issued)
        end = time.monotonic() + GONE_SECONDS
        pause = threading.Event()
        while True:
            waiting, stored = found.waiting(), found.stored() + found.stored(FRESH_RULE)
            if not waiting and (stored >= owed or time.monotonic() > end):
                return 0
            if time.monotonic() > end + DRAIN_SECONDS:
                return waiting
            found.supervise()
            pause.wait(TICK)

    def _calm_down(self, excused: frozenset[str]) -> tuple[str, ...]:
        """Wait until no condition is raised any more but these; return those that are for too long."""
        pause = threading.Event()
        end = time.monotonic() + CALM_SECONDS
        while (left := self.cast.watcher.raised) and not set(left) <= excused and time.monotonic() < end:
            self.cast.supervise()
            pause.wait(TICK)
        return tuple(kind for kind in left if kind not in excused)

    def _watched(self, committed: Collection[str]) -> Watched:
        """Return what was shown, once all of this was, or had time to be."""
        watcher, pause, wanted = self.cast.watcher, threading.Event(), set(committed)
        end = time.monotonic() + SHOWN_SECONDS
        while not watcher.has_seen(wanted) and time.monotonic() < end:
            pause.wait(TICK)
        return watcher.watched

    def evidence(
        self,
        *,
        ordered: bool = True,
        ordered_from: Mapping[int, int] | None = None,
        may_lose: bool = False,
        rereads: int = 0,
        stays: frozenset[str] = frozenset(),
    ) -> Evidence:
        """Let everything recover, and return what there is to be judged.

        `stays` are conditions that are remembered for longer than anybody wants to wait here.
        `rereads` is how often the node may have come by a gap again: once with each spool.
        """
        fresh = self.recover()
        waiting = self._give_up()
        raised = self._calm_down(stays | ({"unaccounted"} if may_lose else set()))
        used = {subject: meter.end() for subject, meter in self.meters.items()}
        found = self.cast
        rows = [json.loads(line) for line in found.hub.zeus("alert", "export", "--json").splitlines()]
        places = _places(found.hub.folder / "state")
        rows.sort(key=lambda row: places[row["id"]][0])
        committed = {row["id"]: places[row["id"]][1] for row in rows}
        books = ledger(found.hub)
        return Evidence(
            issued=dict(self.author.issued),
            stored=[
                Stored(row["id"], raw_of(row), row["client"], row["node"], places[row["id"]][1])
                for row in rows
                if not row["rule"]["id"].startswith("socme.")
            ],
            gaps=[gap for row in rows if (gap := self._gap(row)) is not None],
            given_up=books.given_up,
            unaccounted=books.unaccounted,
            missing=books.missing,
            waiting=waiting,
            fresh_seconds=fresh,
            node=used[NODE],
            hub=used[HUB],
            logs=found.stage.logs(),
            ordered=ordered,
            ordered_from=ordered_from or {},
            may_lose=may_lose,
            places=dict(self.author.places),
            perishable={feed: times * (1 + rereads) for feed, times in self.author.deleted.items()},
            committed=committed,
            watched=self._watched(committed),
            raised=raised,
        )

    def _gap(self, row: Alert) -> Gap | None:
        if row["rule"]["id"] != "socme.gap":
            return None
        paths = enumerate(self.author.paths)
        feed = next((index for index, path in paths if str(path) in row["message"]), -1)
        told = _GAP.search(row["message"])
        if told is None:
            return Gap(feed, 0, 0)  # explains nothing
        size = int(told[1].replace(",", "")) if told[1][0].isdigit() else None
        return Gap(feed, int(told[2].replace(",", "")), size)


@dataclass(frozen=True, slots=True)
class Books:
    """What `zeus ledger` says, summed."""

    unaccounted: int
    missing: int
    given_up: int
    repeated: int


def ledger(hub: Hub, *, limit: float = LEDGER_SECONDS) -> Books:
    """Return what the ledger says, as soon as it balances; what it says in the end, where it never does."""
    end = time.monotonic() + limit
    while True:
        done = run("zeus", "ledger", "--json", "--config", str(hub.config))
        if done.returncode == 0 or time.monotonic() > end:
            break
    assert "Traceback" not in done.stderr, done.stderr
    views = [json.loads(line) for line in done.stdout.splitlines()]
    books = [view["hub"] for view in views if "hub" in view]
    return Books(
        unaccounted=sum(view["unaccounted"] for view in views),
        missing=sum(book["missing"] for book in books),
        given_up=sum(sum(book["given_up"].values()) + book["unreadable"] for book in books),
        repeated=sum(book["repeated"] for book in books),
    )


@contextmanager
def played(
    folder: Path,
    *feeds: Feed,
    spool_bytes: int = 64 * MIB,
    when_full: str = "pause",
    keep_bytes: int = 1024 * MIB,
    node: str = "",
    hub: str = "",
    disk_bytes: int = DISK_BYTES,
) -> Iterator[Play]:
    """Give running programs and an author of some feeds; `node` and `hub` are more settings of theirs.

    `disk_bytes` as for `cast`.
    """
    author = Author(folder, feeds)
    sources = [Follow(feed.kind, path) for feed, path in zip(feeds, author.paths, strict=True)]
    node = f"{node}[canary]\ninterval_seconds = 2\n[spool]\nmax_bytes = {spool_bytes}\n"
    node += f'when_full = "{when_full}"\n'
    hub = f"{hub}[journal]\nkeep_bytes = {keep_bytes}\n[conditions]\nhub_free_bytes = {HUB_FREE}\n"
    try:
        with cast(folder, sources, node_settings=node, hub_settings=hub, disk_bytes=disk_bytes) as found:
            meters = {subject: Meter(found.program(subject)) for subject in (NODE, HUB)}
            try:
                yield Play(found, author, meters)
            finally:
                for meter in meters.values():
                    meter.end()
    finally:
        author.end()


def perform(plan: Plan, folder: Path, *, keep: bool = False) -> Evidence:
    """Carry out a plan below a new folder; return what is to be judged.

    With `keep`, what is on the programs' disks stays behind where something is wrong.
    """
    sound = False
    with played(folder, *plan.feeds, spool_bytes=plan.spool_bytes, keep_bytes=plan.keep_bytes) as play:
        try:
            sound_from = steps_of(plan, play)
            evidence = play.evidence(
                # A damage may be found, and the spool set aside, at any time behind it.
                ordered=not plan.has("corrode"),
                ordered_from=sound_from,
                may_lose=plan.has("corrode"),
                rereads=sum(step.action in REREAD for step in plan.steps),
            )
            sound = not complaints(evidence)
        finally:
            if keep and not sound:
                play.cast.keep()
    return evidence


def steps_of(plan: Plan, play: Play) -> Mapping[int, int]:
    """Write what a plan writes, and do its steps, until both are over and everything is healed.

    Return for each feed from which number on nothing made the node read again.
    """
    hand = Stagehand(play.cast, play.author)
    steps = list(plan.steps)
    pause = threading.Event()
    play.author.start(plan.alerts, plan.rate)
    while play.author.writing or steps:
        while steps and (play.author.written >= steps[0].at or not play.author.writing):
            hand.begin(steps.pop(0))
        hand.tick()
        pause.wait(TICK)
    hand.heal()
    for reason in sorted(set(hand.left_out)):
        left_out(reason)
    return hand.sound_from


def raw_of(row: Alert) -> bytes:
    """Return the original line of an alert in JSON."""
    return base64.b64decode(row["raw_base64"]) if "raw_base64" in row else row["raw"].encode()


def _places(state: Path) -> dict[str, tuple[int, int]]:
    """Return, for each id in the store, its place in the order of commits and its lane (0: unknown)."""
    with closing(sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True)) as db:
        lanes = dict(db.execute("SELECT position, lane FROM entry"))
    with closing(sqlite3.connect(f"file:{state / 'zeus.db'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT lower(hex(id)), number, position FROM alert").fetchall()
    return {id_: (number, lanes.get(position, 0)) for id_, number, position in rows}
