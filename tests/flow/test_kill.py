"""`kill -9` of the agent and of the hub under load, and rotation under load: nothing lost, nothing twice."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flow.programs import Follow, Hub, Node, Stage, wait_until
from tests.flow.writer import Writer, number_of

pytestmark = pytest.mark.slow

ALERTS = 3000
RATE = 300.0  # alerts a second, so that each kill hits a full pipeline


@dataclass(frozen=True, slots=True)
class Load:
    """A hub and a node under load."""

    hub: Hub
    node: Node
    writer: Writer
    kind: str

    def wait_for(self, number: int) -> None:
        """Return when so many alerts are stored and more are on their way."""
        self.hub.wait_for_count(number)
        assert self.writer.running, "the load ended too early to prove anything"

    def assert_each_once(self) -> None:
        """Wait for the last alert, then compare all that is stored with all that was written."""
        written = self.writer.wait()
        # The hub may have something to say as well: a node that is dead for long is silent.
        stored = self.hub.wait_for_alerts(written, "--source", self.kind)
        assert Counter(number_of(alert["raw"]) for alert in stored) == Counter(range(written))
        wait_until(
            lambda: self.node.status()["spool"]["alerts"] == 0,
            "the spool is empty",
            told=self.node.program.log,
        )


@pytest.fixture
def loaded(stage: Stage, tmp_path: Path) -> Iterator[Callable[..., Load]]:
    """Start a hub, a node and a writer that feeds it."""
    writers: list[Writer] = []

    def start(
        kind: str = "suricata",
        rotation: str = "none",
        every: int = 0,
        alerts: int = ALERTS,
        rate: float = RATE,
    ) -> Load:
        log = tmp_path / "log" / ("eve.json" if kind == "suricata" else "alerts.json")
        hub = stage.hub()
        node = stage.node(hub, "acme", "acme-1", Follow(kind, log))
        writer = Writer(kind, log, alerts=alerts, rate=rate, rotation=rotation, every=every)
        writers.append(writer)
        writer.start()
        return Load(hub, node, writer, kind)

    yield start
    for writer in writers:
        writer.end()


def test_agent_killed(loaded: Callable[..., Load]) -> None:
    """The agent goes on where its spool and its positions say."""
    load = loaded()
    load.wait_for(100)
    load.node.program.kill()
    load.node.program.start()
    load.assert_each_once()


def test_hub_killed(loaded: Callable[..., Load]) -> None:
    """What was acknowledged is on the hub's disk; what was not comes again and is known if it was."""
    load = loaded()
    load.wait_for(100)
    load.hub.program.kill()
    load.hub.program.start()
    load.assert_each_once()


def test_both_killed_again_and_again(loaded: Callable[..., Load]) -> None:
    """In turn, while the log rotates."""
    load = loaded(rotation="rename", every=400, alerts=6000, rate=100.0)
    for number in (50, 200, 400):
        load.wait_for(number)
        load.hub.program.kill()
        load.node.program.kill()
        load.hub.program.start()
        load.node.program.start()
    load.assert_each_once()


@pytest.mark.parametrize(
    ("kind", "rotation"),
    [("suricata", "rename"), ("suricata", "copytruncate"), ("wazuh", "wazuh")],
    ids=["rename", "copytruncate", "wazuh"],
)
def test_rotation_under_load(loaded: Callable[..., Load], kind: str, rotation: str) -> None:
    """Every kind of rotation, several times a second, while the agent follows."""
    loaded(kind, rotation, 100, alerts=1500).assert_each_once()
