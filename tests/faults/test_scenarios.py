"""Named misfortunes, each with what must be seen of it; all of them end with everything in its place."""

import json
import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from artemis_agent.spool import TEND_SECONDS
from tests.faults.cast import CLIENT, NAME, signalled
from tests.faults.judge import Evidence, complaints
from tests.faults.lines import FRESH_RULE
from tests.faults.plan import HUB, NODE, Feed
from tests.faults.proxy import Fault
from tests.faults.trial import Play, ledger, played, raw_of
from tests.flow.programs import Program, wait_until
from tests.lacking import lacking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EVE = Feed("suricata", "rename")
WAZUH = Feed("wazuh", "wazuh")
FOUND_SECONDS = 20.0  # in which a connection that is dead is known to be
NOTICED_SECONDS = 20.0  # in which something that is wrong is said at the hub
BACKLOG = 20_000
FLOOD = 800  # alerts that say the same
WINDOW_SECONDS = 16.0  # of a roll-up; longer than what becomes of a line when it is not held
OVERTAKEN_SECONDS = 2.0  # in which an urgent alert is at the hub, once there is a connection


@dataclass(frozen=True, slots=True)
class Seen:
    """What is left of a play, and what was seen in it."""

    evidence: Evidence
    facts: dict[str, object]


def pause(seconds: float) -> None:
    """Let something last."""
    threading.Event().wait(seconds)


def said(play: Play, rule: str, *, limit: float = NOTICED_SECONDS) -> str:
    """Return the message of the first alert of SOCme's own with a rule, once there is one."""

    def found() -> list[str]:
        path = play.cast.hub.folder / "state" / "zeus.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            rows = db.execute(
                "SELECT message FROM alert WHERE rule_id = ? ORDER BY number", (rule,)
            ).fetchall()
        return [str(row[0]) for row in rows]

    return wait_until(found, f"{rule} is said at the hub", limit=limit, told=play.cast.logs)[0]


# A program that dies again and again.


def killed_again_and_again(folder: Path, *, subject: str) -> Evidence:
    """Kill it every 200 ms, first before it is up, then as soon as it is."""
    with played(folder, EVE, WAZUH) as play:
        program = play.cast.program(subject)
        play.author.start(1500, 150.0)
        for _ in range(10):
            program.end()
            program.start(ready=False)
            pause(0.2)
        program.end()
        for number in range(4):
            program.start()
            play.author.rotate(number % 2)
            pause(0.2)
            program.end()
        program.start()
        return play.evidence()


@pytest.mark.play(of=killed_again_and_again, subject=HUB)
def test_a_hub_that_is_killed_again_and_again(outcome: Evidence) -> None:
    assert complaints(outcome) == []


@pytest.mark.play(of=killed_again_and_again, subject=NODE)
def test_an_agent_that_is_killed_again_and_again(outcome: Evidence) -> None:
    assert complaints(outcome) == []


# A connection that is dead, and nobody is told.


def unheard(folder: Path, *, frozen: bool) -> Seen:
    """Stop the hub (SIGSTOP), or swallow what goes over the wire, until the node knows; then go on."""
    with played(folder, EVE) as play:
        cast = play.cast
        play.author.burst(0, 50)
        began = time.monotonic()
        if frozen:
            signalled(cast.hub.program, signal.SIGSTOP)
        else:
            cast.proxy.half_open()
        try:
            play.author.burst(0, 50)
            cast.wait(lambda: not cast.connected(), "the node knows", limit=3 * FOUND_SECONDS)
        finally:
            signalled(cast.hub.program, signal.SIGCONT)
            cast.proxy.heal()
        seconds = time.monotonic() - began
        return Seen(play.evidence(), {"seconds": seconds})


@pytest.mark.play(of=unheard, frozen=True)
def test_a_hub_that_hangs_is_found(outcome: Seen) -> None:
    assert complaints(outcome.evidence) == []
    assert outcome.facts["seconds"] <= FOUND_SECONDS  # type: ignore[operator]


@pytest.mark.play(of=unheard, frozen=False)
def test_a_half_open_connection_is_found(outcome: Seen) -> None:
    assert complaints(outcome.evidence) == []
    assert outcome.facts["seconds"] <= FOUND_SECONDS  # type: ignore[operator]


# A disk that is full.


def full(folder: Path, *, subject: str) -> Seen:
    """Leave no space on its disk while alerts come, and look at what is said of it."""
    with played(folder, EVE, WAZUH) as play:
        cast = play.cast
        if not cast.disks[subject].real:
            return Seen(Evidence({}, ()), {"left out": "this user may not mount a small disk"})
        play.author.burst(0, 100)
        cast.disks[subject].fill()
        for feed in (0, 1):
            play.author.burst(feed, 200)
        problem = _problem(play) if subject == NODE else _hub_problem(play)
        kept = cast.program(subject).running
        cast.disks[subject].free()
        return Seen(play.evidence(), {"problem": problem, "running": kept})


def _problem(play: Play) -> str:
    """Return what the hub knows of the node's spool."""

    def told() -> str:
        node = json.loads(play.cast.hub.zeus("node", "show", f"{CLIENT}/{NAME}", "--json"))
        return str(node["vitals"]["spool"].get("problem") or "")

    return wait_until(told, "the hub knows of the node's full disk", limit=NOTICED_SECONDS)


def _hub_problem(play: Play) -> str:
    play.cast.hub.program.wait_for_log("the journal cannot be written", limit=NOTICED_SECONDS)
    return "the journal cannot be written"


@pytest.mark.play(of=full, subject=NODE)
def test_disk_full_on_a_node(outcome: Seen) -> None:
    if "left out" in outcome.facts:
        lacking(str(outcome.facts["left out"]))
    assert outcome.facts["running"], "a full disk is no reason to end"
    assert "disk" in str(outcome.facts["problem"]) or "free" in str(outcome.facts["problem"])
    assert complaints(outcome.evidence) == []


@pytest.mark.play(of=full, subject=HUB)
def test_disk_full_on_the_hub(outcome: Seen) -> None:
    if "left out" in outcome.facts:
        lacking(str(outcome.facts["left out"]))
    assert outcome.facts["running"], "a full disk is no reason to end"
    assert complaints(outcome.evidence) == []


# A spool that somebody or something has changed.


def spool_is_garbage(folder: Path) -> Seen:
    """Overwrite its beginning, and its log's, while alerts wait in it and the node is dead."""
    with played(folder, EVE, WAZUH) as play:
        cast = play.cast
        cast.wait((cast.spool.parent / "sure.json").exists, "a sure position", limit=20)
        cast.proxy.refuse()
        for feed in (0, 1):
            play.author.burst(feed, 100)
        cast.wait(lambda: cast.waiting() >= 200, "alerts wait in the spool", limit=20)
        cast.node.program.end()
        for path in (cast.spool, cast.spool.with_name("spool.db-wal")):
            with path.open("r+b") as file:
                file.write(b"\xa5" * 8192)
        cast.proxy.heal()
        cast.node.program.start()
        message = said(play, "socme.spool_damaged")
        kept = [path.name for path in cast.spool.parent.glob("spool.db.damaged-*")]
        return Seen(play.evidence(ordered=False), {"message": message, "kept": kept})


@pytest.mark.play(of=spool_is_garbage)
def test_a_corrupt_spool_is_set_aside_and_nothing_is_lost(outcome: Seen) -> None:
    assert complaints(outcome.evidence) == []
    assert outcome.facts["kept"], "it is never deleted"
    assert str(outcome.facts["kept"][0]) in str(outcome.facts["message"])  # type: ignore[index]


def row_is_deleted(folder: Path) -> Seen:
    """Delete a batch from the spool by hand while the node is dead."""
    with played(folder, EVE) as play:
        cast = play.cast
        cast.proxy.refuse()
        for _ in range(4):
            before = cast.waiting()
            play.author.burst(0, 100)
            cast.wait(lambda before=before: cast.waiting() > before, "alerts wait", limit=20)  # type: ignore[misc]
        cast.node.program.end()
        with closing(sqlite3.connect(cast.spool, isolation_level=None)) as db:
            (row,) = db.execute(
                "DELETE FROM entry WHERE position = (SELECT position FROM entry ORDER BY alerts DESC LIMIT 1)"
                " RETURNING alerts"
            ).fetchall()
        cast.proxy.heal()
        cast.node.program.start()
        cast.wait(lambda: "unaccounted" in cast.watcher.raised, "the hub raises an alert", limit=60)
        return Seen(play.evidence(may_lose=True), {"deleted": row[0]})


@pytest.mark.play(of=row_is_deleted)
def test_a_row_deleted_by_hand_is_found(outcome: Seen) -> None:
    """The hub raises an alert and says how many are missing: as many as were taken away."""
    evidence = outcome.evidence
    lost = len(evidence.issued) - len(evidence.stored)
    assert lost == outcome.facts["deleted"]
    assert evidence.missing == lost
    assert complaints(evidence) == []


# Floods that are rolled up.


def flooded(folder: Path, *, spool_is_lost: bool) -> Seen:
    """Kill the node in the middle of its windows again and again; take its spool away while some hold alerts.

    Of Wazuh's alerts many say the same: one rule, one host, three severities.
    """
    settings = f"[rollup]\nburst = 5\nwindow_seconds = {WINDOW_SECONDS}\n"
    with played(folder, WAZUH, node=settings) as play:
        cast = play.cast
        cast.wait((cast.spool.parent / "sure.json").exists, "a sure position", limit=20)
        held = _lose_what_is_held(play) if spool_is_lost else 0
        play.author.start(FLOOD, FLOOD / 4)
        for _ in range(4):
            pause(0.8)
            play.author.rotate(0)
            cast.node.program.end()
            cast.node.program.start()
        play.recover()
        cast.wait(lambda: not cast.held() and cast.settled(), "all roll-ups have gone", limit=60)
        rows = [json.loads(line) for line in cast.hub.zeus("alert", "export", "--json").splitlines()]
        return Seen(
            Evidence(dict(play.author.issued), (), unaccounted=ledger(cast.hub).unaccounted),
            {"held": held, "rows": [row for row in rows if not row["rule"]["id"].startswith("socme.")]},
        )


def _lose_what_is_held(play: Play) -> int:
    """Take the spool away when all that it holds waits for a roll-up; return how many alerts that was."""
    cast = play.cast
    play.author.burst(0, 200)
    cast.wait(lambda: cast.held() and cast.settled(), "what is not held is stored", limit=30)
    pause(TEND_SECONDS + 1)  # in which the positions behind it became sure, when they did not wait for it
    held = cast.held()
    cast.node.program.end()
    cast.replace_spool(None)
    cast.node.program.start()
    return held


def counted(outcome: Seen) -> tuple[Counter[int], Counter[int]]:
    """Return how many alerts of each severity the hub counts, and how many were written."""
    stored: Counter[int] = Counter()
    for row in outcome.facts["rows"]:  # type: ignore[attr-defined]
        stored[level(raw_of(row))] += row["count"]
    return stored, Counter(level(issued.raw) for issued in outcome.evidence.issued.values())


def level(raw: bytes) -> int:
    """Return the level of an alert of Wazuh."""
    return int(json.loads(raw.decode(errors="replace"))["rule"]["level"])


@pytest.mark.play(of=flooded, spool_is_lost=False)
def test_a_flood_is_counted_whole_wherever_the_node_is_killed(outcome: Seen) -> None:
    stored, written = counted(outcome)
    assert stored == written
    assert outcome.evidence.unaccounted == 0
    assert len(outcome.facts["rows"]) < FLOOD / 2, "hardly anything was rolled up"  # type: ignore[arg-type]


@pytest.mark.play(of=flooded, spool_is_lost=True)
def test_what_is_held_is_not_lost_with_the_spool(outcome: Seen) -> None:
    """It is read again; what was rolled up already may be counted twice."""
    stored, written = counted(outcome)
    assert outcome.facts["held"], "nothing was held"
    assert all(stored[each] >= written[each] for each in written)
    assert outcome.evidence.unaccounted == 0


# What is said when something does not work.


def canary_cannot_be_written(folder: Path) -> str:
    """Put a folder where the canaries' log should be."""
    with played(folder, EVE) as play:
        cast = play.cast
        folder_of = cast.spool.parent / "canary"
        cast.wait(lambda: list(folder_of.glob("*.json")), "a canary was written", limit=20)
        cast.node.program.end()
        for path in folder_of.glob("*.json"):
            path.unlink()
            path.mkdir()
        cast.node.program.start()
        return said(play, "socme.canary_lost", limit=30)


@pytest.mark.play(of=canary_cannot_be_written)
def test_the_stage_where_canaries_stop_is_named(outcome: str) -> None:
    assert "written" in outcome


def cloned(folder: Path) -> Seen:
    """Run a copy of the node's whole state beside it."""
    with played(folder, EVE) as play:
        cast = play.cast
        play.author.start(800, 80.0)
        copy = cast.node.folder.with_name("copy")
        shutil.copytree(cast.node.folder, copy, ignore=shutil.ignore_patterns("*.lock", "ballast"))
        clone = Program("artemis", "run", "--config", str(copy / "artemis.toml"), log=copy / "artemis.log")
        clone.start(ready=False)
        try:
            message = said(play, "socme.clone_suspected", limit=40)
        finally:
            clone.end()
        assert "Traceback" not in clone.log(), clone.log()
        return Seen(play.evidence(ordered=False, stays=frozenset({"clone_suspected"})), {"message": message})


@pytest.mark.play(of=cloned)
def test_two_nodes_with_one_identity(outcome: Seen) -> None:
    assert complaints(outcome.evidence) == []
    assert outcome.facts["message"]


# Urgent first.


def overtaken(folder: Path) -> Seen:
    """Let a backlog wait for the hub, and one urgent alert behind it; the wire is slow enough to see it."""
    with played(folder, EVE) as play:
        cast = play.cast
        cast.want(HUB, up=False)
        cast.hub.program.end()
        play.author.flood(0, BACKLOG)
        cast.wait(lambda: cast.waiting() >= BACKLOG, "the backlog waits", limit=60)
        play.author.fresh()
        cast.wait(lambda: cast.waiting() > BACKLOG, "the urgent alert waits", limit=20)
        cast.proxy.become(Fault(bytes_a_second=2_000_000))
        cast.want(HUB, up=True)
        cast.wait(cast.connected, "the node is connected", limit=60)
        began = time.monotonic()
        cast.wait(lambda: cast.stored(FRESH_RULE), "the urgent alert is stored", limit=30)
        seconds = time.monotonic() - began
        before = cast.stored()
        cast.proxy.heal()
        return Seen(play.evidence(), {"seconds": seconds, "before": before})


@pytest.mark.play(of=overtaken)
def test_a_critical_alert_overtakes_a_backlog(outcome: Seen) -> None:
    assert complaints(outcome.evidence) == []
    assert outcome.facts["seconds"] <= OVERTAKEN_SECONDS  # type: ignore[operator]
    assert outcome.facts["before"] < BACKLOG / 2, "the backlog was through already"  # type: ignore[operator]
