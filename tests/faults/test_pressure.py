"""A node under pressure: a full spool, a long sleep, no chance to get up. Named, each with what is owed."""

import json
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.cast import Cast, signalled
from tests.faults.judge import Evidence, complaints
from tests.faults.lines import is_fresh, number_of
from tests.faults.plan import HUB, NODE, Feed
from tests.faults.proxy import Fault, Way
from tests.faults.trial import MIB, Play, played
from tests.flow.programs import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EVE = Feed("suricata", "rename")
WAZUH = Feed("wazuh", "wazuh")
LOOKED_SECONDS = 20.0  # in which a node has a new file open, though it reads nothing
FLOOD = 6000  # alerts that do not fit into a spool of 1 MiB
MANY, PIECE = 80, 4
SEVERE = 2500  # that fit only where low ones make room
KILLS = 40


def is_open(cast: Cast, path: Path) -> bool:
    """Tell whether the node has a file open."""
    status = path.stat()
    for link in Path(f"/proc/{cast.node.program.pid}/fd").iterdir():
        try:
            found = link.stat()
        except FileNotFoundError:  # it was closed while we looked
            continue
        if (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino):
            return True
    return False


def is_full(cast: Cast) -> bool:
    """Tell whether the node says that its spool is full."""
    spool = cast.status().get("spool", {})
    return 0 < int(spool.get("capacityBytes", 0)) <= int(spool.get("bytes", 0))


def no_hub(play: Play) -> None:
    """Take the hub away."""
    play.cast.want(HUB, up=False)
    play.cast.hub.program.end()


# A spool that is full, and a rotation that deletes.


def paused(folder: Path) -> Evidence:
    """Let the spool be full while four generations come, of which logrotate keeps two; then give room."""
    with played(folder, EVE, spool_bytes=MIB) as play:
        cast, path = play.cast, play.author.paths[0]
        cast.proxy.become(Fault(held=Way.UP))  # not refused: the wait to dial again would be a long one
        play.author.flood(0, FLOOD)
        cast.wait(lambda: is_full(cast), "the spool is full", limit=100)
        for _ in range(4):
            play.author.burst(0, 50)
            play.author.rotate(0)
            play.author.burst(0, 50)
            cast.wait(lambda: is_open(cast, path), "the new file is open", limit=LOOKED_SECONDS)
            for number in (3, 4, 5):
                path.with_name(f"{path.name}.{number}").unlink(missing_ok=True)
        cast.proxy.heal()
        return play.evidence(ordered=False)  # the flood's numbers are higher than those behind it


@pytest.mark.play(of=paused)
def test_what_is_rotated_away_while_the_spool_is_full_is_not_lost(outcome: Evidence) -> None:
    assert complaints(outcome) == []
    assert outcome.gaps == []


# The other choice: the lowest go.


def crowded(folder: Path) -> tuple[Evidence, Counter[str], int]:
    """Fill the spool with low alerts while the hub is away, then write severe ones behind them."""
    with played(folder, EVE, spool_bytes=MIB, when_full="drop-lowest") as play:
        cast = play.cast
        no_hub(play)
        for begin in range(0, MANY * PIECE, PIECE):  # small batches: the oldest 64 are never given up
            play.author.flood(0, PIECE, begin=begin)
            cast.wait(lambda: cast.waiting() >= begin + PIECE, "a piece is spooled", limit=20)  # noqa: B023
        with held_still(cast):  # else how much fits depends on how much is read at once
            play.author.flood(0, FLOOD - MANY * PIECE, begin=MANY * PIECE)
        cast.wait(lambda: lag(cast) == 0, "the flood is read", limit=60)
        with held_still(cast):
            for _ in range(SEVERE):
                play.author.fresh()
        cast.wait(lambda: lag(cast) == 0, "everything is read", limit=60)
        cast.want(HUB, up=True)
        evidence = play.evidence(ordered=False, may_lose=True)
        reasons = cast.wait(lambda: _reasons(cast), "the hub knows the node's books", limit=20)
        assert reasons is not None
        return evidence, reasons, run("zeus", "ledger", "--config", str(cast.hub.config)).returncode


def _reasons(cast: Cast) -> Counter[str] | None:
    """Return how many alerts the ledger says had no room, by what became of them; None while none had."""
    done = run("zeus", "ledger", "--json", "--config", str(cast.hub.config))
    reasons: Counter[str] = Counter()
    for view in map(json.loads, done.stdout.splitlines()):
        if "hub" in view:
            reasons["told"] += view["hub"]["given_up"].get("spool_full", 0)
            continue
        for way in ("filtered", "dropped"):
            reasons[way] += view[way].get("spool_full", 0)
    return reasons if reasons["dropped"] else None


@contextmanager
def held_still(cast: Cast) -> Iterator[None]:
    """Let the node stand still, and then find all that was written at once."""
    signalled(cast.node.program, signal.SIGSTOP)
    yield
    signalled(cast.node.program, signal.SIGCONT)
    told = cast.status().get("time")
    cast.wait(lambda: cast.status().get("time") != told, "it tells of it", limit=20)


def lag(cast: Cast) -> int | None:
    """Return how many bytes the node says it has not read; None while it says nothing."""
    sources = cast.status().get("sources")
    return sum(int(source.get("lagBytes", 0)) for source in sources) if sources else None


@pytest.mark.play(of=crowded)
def test_a_crowded_spool_gives_up_low_alerts_and_no_severe_one(
    outcome: tuple[Evidence, Counter[str], int],
) -> None:
    evidence, reasons, code = outcome
    stored = {number_of(row.raw) for row in evidence.stored}
    lost = evidence.issued.keys() - stored

    assert lost
    assert not any(is_fresh(number) for number in lost), "a severe one is lost"
    canaries = reasons["told"] - reasons["dropped"]  # these make room as well, and are in no hour
    assert 0 <= canaries < 50
    assert reasons["filtered"] + reasons["dropped"] == len(lost)
    assert (code, evidence.unaccounted, evidence.missing) == (0, 0, 0)
    assert [each for each in complaints(evidence) if not each.startswith("G1")] == []  # that is judged above


# A node that does not run for a while, or never for long.


def asleep(folder: Path) -> Evidence:
    """Stop it (SIGSTOP) for longer than it would look for a lost file, while much is written and rotated."""
    with played(folder, EVE, WAZUH) as play:
        play.author.start(4000, 330.0)
        pause = threading.Event()
        pause.wait(1)
        signalled(play.cast.node.program, signal.SIGSTOP)
        for number in range(4):
            pause.wait(2.7)
            play.author.rotate(number % 2)
        signalled(play.cast.node.program, signal.SIGCONT)
        return play.evidence()


@pytest.mark.play(of=asleep)
def test_a_node_that_sleeps_for_long_under_load(outcome: Evidence) -> None:
    assert complaints(outcome) == []


def stormed(folder: Path) -> Evidence:
    """Kill it 40 times, each a moment after its start, so that few of its lives get far."""
    with played(folder, EVE, WAZUH) as play:
        dice, pause = random.Random(27), threading.Event()
        play.cast.want(NODE, up=False)
        play.author.start(3000, 250.0)
        for number in range(KILLS):
            play.cast.node.program.end()
            play.cast.node.program.start(ready=False)
            if number % 8 == 7:
                play.author.rotate(number // 8 % 2)
            pause.wait(dice.uniform(0.05, 0.5))
        play.cast.want(NODE, up=True)
        return play.evidence()


@pytest.mark.play(of=stormed)
def test_a_node_that_is_killed_early_again_and_again(outcome: Evidence) -> None:
    assert complaints(outcome) == []
