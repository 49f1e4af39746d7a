"""A board as the parts that the page draws: words, numbers and states, no markup and no colour.

Each part is a value for JSON and changes only when something on it changes, so that only that travels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from hermes_display.board import SEVERITIES, Board, Client, Node, Row
from socme import severity
from socme.v1.vitals_pb2 import NodeState

Part = Mapping[str, object] | list[str] | list[dict[str, object]]

ROWS = 10  # of the feed; what fits beside the tiles
SQUARES = 120  # nodes that are drawn; all are counted
WORST = 4  # nodes that are named
SILENT = timedelta(
    seconds=120
)  # without contact, after which a client counts as silent: an agent's restart is shorter
THOUSAND = 1000

# A tile's states, worst first, and what a tile in it says.
WORDS: Mapping[str, str] = MappingProxyType(
    {"critical": "CRITICAL", "silent": "SILENT", "high": "HIGH", "medium": "WATCH", "quiet": "QUIET"}
)
# A node's states, worst first.
GRADES = ("fault", "silent", "warning", "new", "good")


@dataclass(frozen=True, slots=True)
class _Grade:
    """How a node is drawn."""

    grade: str
    text: str = ""


def picture(board: Board) -> dict[str, Part]:
    """Return all parts by name; each client's tile is a part of its own, "tile/<client>"."""
    nodes: dict[str, list[Node]] = {client: [] for client in board.clients}
    for node in board.nodes.values():
        nodes.setdefault(node.client, []).append(node)
    tiles = {
        client: _tile(board.clients.get(client, Client(client)), nodes[client], board.time)
        for client in sorted(nodes)
    }
    return {
        "link": _link(board),
        "verdict": _verdict(tiles.values()),
        "tiles": list(tiles),
        "feed": [_row(row, board.clients) for row in board.feed[:ROWS]],
        "nodes": _nodes(board),
        **{f"tile/{client}": tile for client, tile in tiles.items()},
    }


def short(number: int) -> str:
    """Return a number in at most four characters, rounded down: "999", "1.2k", "45k", "3.0M"."""
    if number < THOUSAND:
        return str(number)
    for power, unit in enumerate("kMGT", start=1):
        size = THOUSAND**power
        if number < 10 * size:
            return f"{number // size}.{number * 10 // size % 10}{unit}"
        if number < THOUSAND * size:
            return f"{number // size}{unit}"
    return "∞"


def age(since: datetime | None, now: datetime | None) -> str:
    """Return how long ago something was, as "45 s", "14 min", "3 h" or "2 d"; empty when unknown."""
    if since is None or now is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _link(board: Board) -> dict[str, object]:
    link = board.link
    return {
        "up": link.up,
        "since": round(link.since.timestamp() * 1000),
        "reason": link.reason,
        "refused": link.refused,
    }


def _verdict(tiles: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return how many clients are in each state that needs a person, worst first."""
    states = [tile["state"] for tile in tiles]
    told: list[dict[str, object]] = []
    for state in ("critical", "high", "silent"):
        if number := states.count(state):
            noun = "" if told else " clients" if number > 1 else " client"
            told.append({"state": state, "text": f"{number}{noun} {state}"})
    if not told:
        told.append({"state": "quiet", "text": "All clients quiet" if states else "No clients yet"})
    return told


def _tile(client: Client, nodes: list[Node], now: datetime | None) -> dict[str, object]:
    online = sum(node.state == NodeState.NODE_STATE_ONLINE for node in nodes)
    total = len(nodes) or client.nodes
    counts = {severity.name(each): client.last_day.get(each, 0) for each in SEVERITIES}
    state = _state(counts, nodes, now)
    number, label = _number(state, counts, nodes, now)
    return {
        "name": client.name,
        "state": state,
        "word": WORDS[state],
        "online": f"{online}/{total}" if total else "no",
        "noun": "node" if total == 1 else "nodes",
        "missing": online < total,
        "number": number,
        "label": label,
        "counts": {name: short(count) for name, count in counts.items() if name != "unknown" or count},
    }


def _state(counts: Mapping[str, int], nodes: list[Node], now: datetime | None) -> str:
    if counts["critical"]:
        return "critical"
    if nodes and all(_is_silent(node, now) for node in nodes):
        return "silent"
    if counts["high"]:
        return "high"
    return "medium" if counts["medium"] or counts["unknown"] else "quiet"


def _number(
    state: str, counts: Mapping[str, int], nodes: list[Node], now: datetime | None
) -> tuple[str, str]:
    """Return a tile's big number and what it counts."""
    if state == "silent":
        latest = max((node.last_seen for node in nodes if node.last_seen), default=None)
        number, _, unit = age(latest, now).partition(" ")
        return number, f"{unit} silent"
    if state == "quiet":
        return short(counts["low"]), "low" if counts["low"] else "alerts"
    if state == "medium" and not counts["medium"]:
        return short(counts["unknown"]), "unrated"
    return short(counts[state]), state


def _is_silent(node: Node, now: datetime | None) -> bool:
    away = node.state in (NodeState.NODE_STATE_STALE, NodeState.NODE_STATE_OFFLINE)
    return away and node.last_seen is not None and now is not None and now - node.last_seen > SILENT


def _row(row: Row, clients: Mapping[str, Client]) -> dict[str, object]:
    client = clients.get(row.client)
    return {
        "key": row.key,
        "client": client.name if client else row.client,
        "severity": severity.name(row.severity),
        "title": row.title,
        "facts": list(row.facts),
        "count": row.count,
        "received": round(row.received.timestamp() * 1000) if row.received else None,
    }


def _nodes(board: Board) -> dict[str, object]:
    graded = [(node, _grade(node, board.time)) for _, node in sorted(board.nodes.items())]
    worst = sorted((GRADES.index(grade.grade), node.client, node.name, grade) for node, grade in graded)
    return {
        "good": sum(grade.grade == "good" for _, grade in graded),
        "total": len(graded),
        "squares": [grade.grade for _, grade in graded[:SQUARES]],
        "worst": [
            {"name": name, "client": client, "grade": grade.grade, "text": grade.text}
            for _, client, name, grade in worst[:WORST]
            if grade.grade != "good"
        ],
    }


def _grade(node: Node, now: datetime | None) -> _Grade:
    match node.state:
        case NodeState.NODE_STATE_ONLINE if node.trouble:
            return _Grade("fault" if node.broken else "warning", node.trouble)
        case NodeState.NODE_STATE_ONLINE:
            return _Grade("good")
        case NodeState.NODE_STATE_NEW:
            return _Grade("new", "never connected")
        case NodeState.NODE_STATE_STALE:
            return _Grade("silent", f"stale {age(node.last_seen, now)}".rstrip())
        case NodeState.NODE_STATE_OFFLINE:
            return _Grade("silent", f"silent {age(node.last_seen, now)}".rstrip())
        case _:
            return _Grade("warning", "unknown state")
