"""Whether two machines run with one node's identity.

Each start of an agent has a name of its own (Hello.instance). An agent that is restarted has a new one
and never comes back with the old. So an instance that returns after another one took its place is one of
two that live. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

WITHIN_SECONDS = 600.0  # between losing the place and coming back; and for how long it is remembered
MOST_INSTANCES = 8  # of one node, the newest; it may make up as many as it likes

Key = tuple[str, str]  # client and node


@dataclass(slots=True)
class _Node:
    """What is known of one node's instances."""

    current: bytes
    peers: dict[bytes, str]
    """Where each instance called from last, the one that came last at the end."""
    ousted: dict[bytes, float] = field(default_factory=dict)
    """When each lost its place to another one."""
    flipped: float = float("-inf")
    """When one came back last."""
    sentence: str = ""


class Clones:
    """The instances of all nodes. Times are seconds of any clock that does not jump."""

    def __init__(self) -> None:
        self._nodes: dict[Key, _Node] = {}

    def seen(self, key: Key, instance: bytes, peer: str, now: float) -> None:
        """Take note that an instance of a node has connected from an address; b"" says nothing."""
        if not instance:
            return
        node = self._nodes.setdefault(key, _Node(instance, {}))
        if instance != node.current:
            node.ousted[node.current] = now
            if now - node.ousted.pop(instance, float("-inf")) <= WITHIN_SECONDS:
                node.flipped = now
                other = node.peers.get(node.current, "elsewhere")
                node.sentence = _sentence(host(other), host(peer))
            node.current = instance
        node.peers.pop(instance, None)
        node.peers[instance] = peer
        for old in list(node.peers)[:-MOST_INSTANCES]:
            del node.peers[old]
            node.ousted.pop(old, None)

    def suspected(self, now: float) -> Mapping[Key, str]:
        """Return the nodes of which two instances take turns, each with a sentence for people."""
        return {
            key: node.sentence for key, node in self._nodes.items() if now - node.flipped <= WITHIN_SECONDS
        }


def host(peer: str) -> str:
    """Return the address without the port in what gRPC says of a caller ("ipv4:10.0.0.7:40022")."""
    kind, _, rest = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return peer
    return rest.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]")


def _sentence(one: str, other: str) -> str:
    where = f"from {one} and from {other}" if one != other else f"both from {one}"
    return f"two agents with this node's identity take turns, {where}: does a copy of the machine run?"
