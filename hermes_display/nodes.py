"""How a node is, as a screen tells it: by what the hub says of it, else by what it says of itself."""

from dataclasses import dataclass
from datetime import datetime

from hermes_display import rows
from socme.text import clean
from socme.v1.vitals_pb2 import Health, NodeState, NodeStatus, Vitals

FULL_DISK = 0.9  # share of a file system from which on a person should look
DEEP_SPOOL = 1000  # waiting alerts; a healthy node has them acknowledged within a second
LONGEST_TROUBLE = 100  # characters

# Worst first. Of a silent node nothing is known; a blind one is there and sees nothing; "off" is one of which
# nothing is taken: it was revoked, or its client disabled.
GRADES = ("silent", "blind", "late", "care", "new", "good", "off")

_BY_HEALTH = {
    Health.HEALTH_SILENT: "silent",
    Health.HEALTH_BLIND: "blind",
    Health.HEALTH_LATE: "late",
    Health.HEALTH_DEGRADED: "care",
    Health.HEALTH_UP: "good",
    Health.HEALTH_REVOKED: "off",
}
_BY_STATE = {
    NodeState.NODE_STATE_ONLINE: "good",
    NodeState.NODE_STATE_NEW: "new",
    NodeState.NODE_STATE_STALE: "silent",
    NodeState.NODE_STATE_OFFLINE: "silent",
    NodeState.NODE_STATE_REVOKED: "off",
}


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of a node."""

    client: str
    name: str
    grade: str
    """One of GRADES."""
    is_online: bool
    last_seen: datetime | None
    trouble: str = ""
    """What is wrong with it; empty when all is well, or when it is only not heard."""


def read_node(status: NodeStatus) -> Node:
    """Return a node as the hub tells it."""
    named = _BY_STATE.get(status.state, "care")
    own, is_blind = _trouble(status.vitals)
    if status.health == Health.HEALTH_REVOKED:
        named = "off"
    if named == "good":
        fallback = "good" if not own else "blind" if is_blind else "care"
        named = _BY_HEALTH.get(status.health, fallback)
    told = status.reasons[0] if status.reasons else own
    return Node(
        client=rows.name(status.client),
        name=rows.name(status.node),
        grade=named,
        is_online=status.state == NodeState.NODE_STATE_ONLINE,
        last_seen=rows.time(status.last_seen),
        trouble=clean(told, LONGEST_TROUBLE) if named in ("blind", "late", "care") else "",
    )


def _trouble(vitals: Vitals) -> tuple[str, bool]:
    """Return the worst thing that a node says of itself, and whether it is blind because of it."""
    for source in vitals.sources:
        if source.problem:
            return f"{source.kind or source.name}: {source.problem}", True
    for disk in vitals.disks:
        used, total = disk.capacity.used_bytes, disk.capacity.total_bytes
        if total and used / total >= FULL_DISK:
            return f"disk {min(100 * used // total, 100)} %", False
    if vitals.spool.alerts >= DEEP_SPOOL:
        return f"spool {vitals.spool.alerts}", False
    return "", False
