"""How nodes and clients are, for commands: what the running hub wrote down, or that none runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine

from socme.v1.vitals_pb2 import ClientStatus, Health, NodeStatus
from zeus_hub import chronicle, fleet, health
from zeus_hub.health import Moment, Standing
from zeus_hub.local import Pulse, read_pulse
from zeus_hub.plan import Plan
from zeus_hub.raising import Open
from zeus_hub.registry import HUB, Client, Node

DOWN = Standing(Health.HEALTH_UNSPECIFIED, ("the hub does not run: start `zeus serve`",))


@dataclass(frozen=True, slots=True)
class Standings:
    """What is known of all nodes and clients at one moment."""

    now: datetime
    opened: Sequence[Open]
    histories: Mapping[str, list[Moment]]
    pulse: Pulse | None
    """The hub's last sign of life; None: it never ran."""

    @property
    def is_live(self) -> bool:
        """Whether the hub runs."""
        return self.pulse is not None and self.pulse.is_fresh(self.now)

    def node(self, node: Node) -> NodeStatus:
        """Return how a node is."""
        found = self._standing(node)
        return fleet.status(replace(node, health=found.health, reasons=found.reasons), self.now)

    def client(self, client: Client, nodes: Sequence[Node]) -> ClientStatus:
        """Return how a client is, by its nodes."""
        history = list(self.histories.get(client.name, ()))
        if not self.is_live:
            if self.pulse is not None and history:
                history.append(Moment(self.pulse.time, Health.HEALTH_UNSPECIFIED))
            return chronicle.status(client.name, DOWN, history, self.now)
        standings = {node.name: self._standing(node) for node in nodes}
        standing = health.of_client(standings, enabled=client.enabled)
        return chronicle.status(client.name, standing, history, self.now)

    def canaries(self, node: Node) -> Sequence[Mapping[str, object]]:
        """Return how far the canaries of a node's sources have come."""
        return self.pulse.canaries.get(f"{node.client}/{node.name}", ()) if self.pulse is not None else ()

    def _standing(self, node: Node) -> Standing:
        if not self.is_live:
            return DOWN
        if (node.client, node.name) == HUB:
            mine = [one for one in self.opened if (one.client, one.node) == HUB]
            return health.of_node(mine, revoked=False, enabled=True, heard=True, seen=True)
        unheard = self.pulse.unheard if self.pulse is not None else ()
        heard = f"{node.client}/{node.name}" not in unheard
        return chronicle.standing(node, self.opened, heard=heard)


def load(engine: Engine, settings: Plan, now: datetime) -> Standings:
    """Read what is known. Blocks on the database and the journal."""
    return Standings(
        now,
        chronicle.open_conditions(settings.state_dir / "journal.db"),
        chronicle.histories(engine, now),
        read_pulse(settings.state_dir),
    )
