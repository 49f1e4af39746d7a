"""A board as the parts that the page draws: codes, numbers and names, no words, no markup and no colour.

Each part is a value for JSON and changes only when something on it changes, so that only that travels.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hermes_display import pages
from hermes_display.alarms import Alarms
from hermes_display.board import Board, Client, order
from hermes_display.day import QUARTER, Day
from hermes_display.nodes import GRADES, Node
from hermes_display.rows import Row
from hermes_display.tally import CRITICAL, HIGH, LOW, MEDIUM, UNKNOWN
from hermes_display.tile import age, short, tile
from socme import severity

Part = Mapping[str, object] | Sequence[object] | str | None

SLOW = ("timeline", "tactics", "hours")  # kinds of parts that nobody watches second by second
SQUARES = 160  # nodes that are drawn; all are counted
WORST = 5  # nodes that are named
TACTICS = 6
TOLD = ("critical", "silent", "blind", "high", "late")  # states that the verdict counts, worst first


def picture(board: Board) -> dict[str, Part]:
    """Return all parts by name; each client that is on the page has "tile/<client>" and "hours/<client>"."""
    clients = order(board)
    nodes: dict[str, list[Node]] = {client: [] for client in clients}
    for key in sorted(board.nodes):
        nodes[key[0]].append(board.nodes[key])
    tiles = {name: tile(board.clients.get(name, Client(name)), nodes[name], board.time) for name in clients}
    page, shown = pages.on_page(clients, board.pages)
    return {
        "link": _link(board),
        "verdict": _verdict(tiles.values()),
        "tiles": {
            "keys": shown,
            "places": pages.size(len(clients), board.pages.most),
            "page": page + 1,
            "pages": pages.count(len(clients), board.pages.most),
        },
        "feed": [_row(row, board.clients) for row in board.feed.shown],
        "rate": _rate(board.rate),
        "alarm": _alarm(board.alarms, board.clients),
        "timeline": _timeline(board.day),
        "tactics": _tactics(board.day),
        "nodes": _nodes(board),
        **{f"tile/{name}": tiles[name] for name in shown},
        **{f"hours/{name}": _hours(board.clients.get(name)) for name in shown},
    }


def _link(board: Board) -> dict[str, object]:
    link = board.link
    return {
        "up": link.up,
        "since": _milliseconds(link.since),
        "reason": link.reason,
        "refused": link.refused,
        "empty": board.time is None,
    }


def _verdict(tiles: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Return how many clients are in each state that needs a person, worst first, and how many there are."""
    states = [tile["state"] for tile in tiles]
    counted = [[state, states.count(state)] for state in TOLD if state in states]
    return {"states": counted, "clients": len(states)}


def _row(row: Row, clients: Mapping[str, Client]) -> dict[str, object]:
    client = clients.get(row.client)
    return {
        "key": row.key,
        "client": (client.short or client.name) if client else row.client,
        "severity": severity.name(row.severity),
        "title": row.title,
        "facts": list(row.facts),
        "count": short(row.count) if row.count > 1 else "",
        "received": _milliseconds(row.received),
        "handled": row.is_handled,
        "owner": row.owner if row.is_handled else "",
    }


def _rate(rate: float) -> list[object]:
    """Return how many alerts come, in a second or in a minute."""
    return [f"{rate:.1f}", "s"] if rate >= 1 else [str(round(60 * rate)), "min"]


def _alarm(alarms: Alarms, clients: Mapping[str, Client]) -> dict[str, object]:
    """Return how many alarms there ever were, which of the latest are over, and the newest that is not."""
    newest = alarms.rows[0] if alarms.rows else None
    shown = None
    if newest is not None:
        client = clients.get(newest.client)
        name = client.name if client else newest.client
        shown = _row(newest, clients) | {"tile": newest.client, "client": name, "source": newest.source}
    return {"number": alarms.number, "taken": list(alarms.taken), "newest": shown}


def _timeline(day: Day | None) -> dict[str, object] | None:
    """Return the alerts of the last day by quarter of an hour: critical, high, medium or unrated, low."""
    if day is None:
        return None
    return {
        "end": _milliseconds(day.begin + QUARTER),
        "quarters": [
            [
                each.get(CRITICAL, 0),
                each.get(HIGH, 0),
                each.get(MEDIUM, 0) + each.get(UNKNOWN, 0),
                each.get(LOW, 0),
            ]
            for each in day.quarters
        ],
    }


def _tactics(day: Day | None) -> list[list[object]]:
    """Return the most frequent tactics, each with its number and its share of the first one's."""
    named = sorted(day.tactics.items(), key=lambda one: (-one[1], one[0]))[:TACTICS] if day else []
    return [[tactic, short(number), round(number / named[0][1], 2)] for tactic, number in named]


def _hours(client: Client | None) -> dict[str, object]:
    """Return a client's alerts by hour, and what is usual for the last one."""
    hours = client.hours if client is not None else None
    return {"counts": list(hours.counts) if hours else [], "usual": hours.usual if hours else None}


def _nodes(board: Board) -> dict[str, object]:
    found = [node for _, node in sorted(board.nodes.items())]
    worst = sorted(found, key=lambda node: (GRADES.index(node.grade), node.client, node.name))
    named = [node for node in worst if node.grade not in ("good", "off")][:WORST]
    squares = found if len(found) <= SQUARES else worst
    return {
        "good": sum(node.grade == "good" for node in found),
        "total": sum(node.grade != "off" for node in found),
        "squares": [node.grade for node in squares[:SQUARES]],
        "worst": [_named(node, board.time) for node in named],
    }


def _named(node: Node, now: datetime | None) -> dict[str, object]:
    return {
        "client": node.client,
        "name": node.name,
        "grade": node.grade,
        "text": node.trouble,
        "age": age(node.last_seen, now) if node.grade == "silent" else None,
    }


def _milliseconds(time: datetime | None) -> int | None:
    return round(time.timestamp() * 1000) if time else None
