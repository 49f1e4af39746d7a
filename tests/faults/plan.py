"""From a seed to a plan: what is written, how it rotates, and what breaks when. Pure: a seed is a plan.

A step is due when so many alerts are written, so that a plan runs alike on fast and slow machines. Its
fault lasts for its seconds; faults overlap as they come.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

NODE, HUB, NETWORK = "node", "hub", "network"
RATE = 250.0  # alerts a second, of all feeds together
SECONDS = 7.0  # of writing, where nothing else is said
QUIET_END = 0.85  # part of the writing in which steps may begin
LONGEST = 3.0  # seconds that a fault lasts; a node waits for twice as long as it was cut off, at times
FEWEST, MOST = 5, 8  # steps

ROTATIONS: Mapping[str, tuple[str, ...]] = {
    "suricata": ("rename", "copytruncate", "gz", "delete"),
    "wazuh": ("wazuh", "copytruncate", "gz"),
}


@dataclass(frozen=True, slots=True)
class Feed:
    """One log file that is written."""

    kind: str
    """"suricata" or "wazuh"."""
    rotation: str
    """How it rotates, where a step says that it does."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that breaks, or that is done."""

    at: int
    """How many alerts must be written."""
    action: str
    """A key of ACTIONS."""
    subject: str
    """NODE, HUB, NETWORK or a feed's index."""
    seconds: float = 0.0
    """How long it lasts; 0 where it is over at once."""
    amount: int = 0
    """What the action makes of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run does."""

    seed: int
    alerts: int
    """Written in all, evenly; a burst brings more."""
    rate: float
    """Alerts a second."""
    feeds: tuple[Feed, ...]
    spool_bytes: int
    """Bound of the node's spool."""
    keep_bytes: int
    """What the hub's journal keeps behind its readers."""
    steps: tuple[Step, ...]

    def has(self, *actions: str) -> bool:
        """Tell whether a step does one of these."""
        return any(step.action in actions for step in self.steps)


Maker = Callable[[random.Random, int], Step]


def _of_either(action: str) -> Maker:
    return lambda dice, at: Step(at, action, dice.choice((NODE, HUB)), _while(dice))


def _of_node(action: str, *, amount: tuple[int, int] = (0, 0)) -> Maker:
    return lambda dice, at: Step(at, action, NODE, _while(dice), dice.randint(*amount))


def _of_network(action: str, *, amount: tuple[int, int] = (0, 0)) -> Maker:
    return lambda dice, at: Step(at, action, NETWORK, _while(dice), dice.randint(*amount))


def _once(action: str, subject: str, *, amount: tuple[int, int] = (0, 0)) -> Maker:
    return lambda dice, at: Step(at, action, subject, amount=dice.randint(*amount))


ACTIONS: Mapping[str, Maker] = {
    "kill": _of_either("kill"),  # SIGKILL, down for a while
    "stop": _of_either("stop"),  # SIGTERM, down for a while
    "freeze": _of_either("freeze"),  # SIGSTOP, then SIGCONT
    "fill": _of_either("fill"),  # no space on its disk
    "delay": _of_network("delay", amount=(20, 300)),  # milliseconds, each way
    "throttle": _of_network("throttle", amount=(20_000, 200_000)),  # bytes a second
    "refuse": _of_network("refuse"),
    "half_open": _of_network("half_open", amount=(1, 3)),  # proxy.Way
    "hold": _of_network("hold", amount=(1, 3)),  # proxy.Way
    "corrupt": _of_network("corrupt", amount=(500, 50_000)),  # one bit in so many bytes
    "cut": _once("cut", NETWORK),
    "tear": _of_node("tear", amount=(1, 60_000)),  # killed, and so many bytes of the spool's log are gone
    "corrode": _of_node("corrode", amount=(1, 1000)),  # killed, and some bytes of the spool are others
    "revert": _of_node("revert"),  # its spool is put back to what it was at the step's beginning
    "forget": _of_node("forget"),  # killed, and its spool is gone
    "jump": _of_node("jump", amount=(-7200, 7200)),  # its clock is off by so many seconds for a while
    "rotate": _once("rotate", ""),
    "burst": _once("burst", "", amount=(200, 1200)),  # so many alerts at once
}
REREAD = ("tear", "corrode", "revert", "forget")  # after these a node reads again from a sure place
_COMMON = ("rotate", "rotate", "kill", "kill", "burst")


def plan_for(seed: int, *, seconds: float = SECONDS) -> Plan:
    """Return the plan of a seed."""
    dice = random.Random(seed)
    kinds = ["suricata", "wazuh"] if dice.random() < 0.7 else ["suricata"]
    feeds = tuple(Feed(kind, dice.choice(ROTATIONS[kind])) for kind in kinds)
    alerts = round(RATE * seconds)
    moments = sorted(dice.randint(1, int(alerts * QUIET_END)) for _ in range(dice.randint(FEWEST, MOST)))
    return Plan(
        seed=seed,
        alerts=alerts,
        rate=RATE,
        feeds=feeds,
        spool_bytes=dice.choice((1, 2, 64)) * 1024 * 1024,
        keep_bytes=dice.choice((1, 1024)) * 1024 * 1024,
        steps=tuple(_step(dice, at, len(feeds)) for at in moments),
    )


def _step(dice: random.Random, at: int, feeds: int) -> Step:
    action = dice.choice((*ACTIONS, *_COMMON))
    step = ACTIONS[action](dice, at)
    if step.subject:
        return step
    return Step(at, action, str(dice.randrange(feeds)), step.seconds, step.amount)


def _while(dice: random.Random) -> float:
    return round(dice.uniform(0.2, LONGEST), 2)


def told(plan: Plan) -> str:
    """Return a plan for people."""
    feeds = ", ".join(f"{feed.kind} ({feed.rotation})" for feed in plan.feeds)
    head = (
        f"seed {plan.seed}: {plan.alerts} alerts at {plan.rate:g}/s of {feeds}; spool"
        f" {plan.spool_bytes >> 20} MiB, journal keeps {plan.keep_bytes >> 20} MiB"
    )
    rows = [
        f"  {step.at:6} {step.action} {step.subject}"
        + (f" for {step.seconds:g} s" if step.seconds else "")
        + (f", {step.amount}" if step.amount else "")
        for step in plan.steps
    ]
    return "\n".join([head, *rows])
