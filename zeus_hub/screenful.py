"""An overview as the lines of a terminal of some size. Pure: nothing is read as markup."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.text import Text

from socme.show import age, count, size
from socme.table import STYLES
from zeus_hub.overview import MINUTE, Alert, Node, Overview
from zeus_hub.samples import WHOLE
from zeus_hub.sparks import sparkline

SEVERITIES = ("critical", "high", "medium", "low", "unknown")
WORDS = ("silent", "blind", "late", "degraded", "unknown", "up", "revoked")
HEALTH = {
    "silent": "bold white on red",
    "blind": "bold red",
    "late": "yellow",
    "degraded": "yellow",
    "up": "green",
    "revoked": "dim",
}
FIXED = 6  # lines above, between and below
FULL = 900  # thousandths of a disk from where on a person should look
_NODE = (  # columns of nodes: name, width, and from which width of the terminal on there is room for it
    ("NODE", 24, 0),
    ("HEALTH", 8, 0),
    ("SEEN", 6, 0),
    ("CPU", 4, 110),
    ("MEM", 4, 110),
    ("DISK", 4, 90),
    ("SPOOL", 7, 0),
    ("LAG", 9, 100),
    ("CPU, LAST 24 H", 24, 140),
    ("REASON", 0, 0),
)
_ALERT = (("TIME", 8, 0), ("SEVERITY", 8, 0), ("NODE", 24, 0), ("FROM → TO", 33, 120), ("RULE", 0, 0))
_GAP = "  "

Cell = tuple[str, str]  # text and style
Columns = Sequence[tuple[str, int, int]]


def draw(overview: Overview, *, width: int, height: int, at: float) -> list[Text]:
    """Return what fits, one text a line; what may be old is dim under a red line that says so."""
    trouble = overview.trouble(at)
    time = overview.time(at)
    nodes = overview.worst_first()
    room = max(0, height - FIXED)
    shown = min(len(nodes), max(room // 2, room - len(overview.alerts)))
    lines = [
        *_head(overview, nodes, time, trouble),
        _rates(overview, at),
        Text(overview.days_trouble, style="yellow"),
        _heading(_NODE, width),
        *(_line(_node(node, time, overview.days), _NODE, width) for node in nodes[:shown]),
        Text(_rest(nodes[shown:]), style="dim"),
        _heading(_ALERT, width),
        *(_line(_alert(alert), _ALERT, width) for alert in overview.alerts),
    ][:height]
    for number, line in enumerate(lines):
        line.truncate(width, overflow="ellipsis")
        if trouble and number:
            line.stylize("dim")
    return lines


def _head(overview: Overview, nodes: Sequence[Node], time: datetime | None, trouble: str) -> Iterator[Text]:
    clock = f"{time:%Y-%m-%d %H:%M:%S} UTC" if time is not None else ""
    if trouble:
        yield Text(f" {trouble} ", style="bold white on red")
    else:
        yield Text.assemble(
            ("live", "bold green"), f"{_GAP}{overview.hub}{_GAP}{clock}{_GAP}", ("q: quit", "dim")
        )
    words = Counter(node.word for node in nodes)
    told = [(f"{words[word]} {word}", HEALTH.get(word, "")) for word in WORDS if words[word]]
    yield _joined(f"{len(nodes)} nodes", told)


def _rates(overview: Overview, at: float) -> Text:
    minute = overview.last_minute(at)
    told = [(f"{count(minute[name])} {name}", STYLES.get(name, "")) for name in SEVERITIES if minute[name]]
    line = _joined(f"{count(minute.total())} alerts in the last {MINUTE} s", told)
    return line.append(f"{_GAP}5 min: ").append(sparkline(overview.rate(at)), style="cyan")


def _joined(name: str, told: Sequence[Cell]) -> Text:
    parts: list[str | Cell] = [name]
    for number, part in enumerate(told):
        parts += [", " if number else ": ", part]
    return Text.assemble(*parts)


def _node(node: Node, time: datetime | None, days: Mapping[str, str]) -> list[Cell]:
    since = time - node.seen if time is not None and node.seen is not None else None
    return [
        (node.place, ""),
        (node.word, HEALTH.get(node.word, "")),
        ("-" if since is None else age(since), ""),
        _share(node.cpu),
        _share(node.memory),
        _share(node.disk, "bold red" if node.disk is not None and node.disk >= FULL else ""),
        ("-" if node.spool is None else count(node.spool), ""),
        ("-" if node.lag is None else size(node.lag), ""),
        (days.get(node.place, ""), "cyan"),
        (node.reasons, ""),
    ]


def _alert(alert: Alert) -> list[Cell]:
    ends = " → ".join(filter(None, (alert.source, alert.destination)))
    return [
        ("-" if alert.time is None else f"{alert.time:%H:%M:%S}", ""),
        (alert.severity, STYLES.get(alert.severity, "")),
        (alert.place, ""),
        (ends or "-", ""),
        (f"{count(alert.count)} times: {alert.title}" if alert.count > 1 else alert.title, ""),
    ]


def _rest(hidden: Sequence[Node]) -> str:
    """Return what to say of nodes for which there is no room."""
    words = Counter(node.word for node in hidden)
    told = ", ".join(f"{words[word]} {word}" for word in WORDS if words[word])
    return f"… and {len(hidden)} more: {told}" if hidden else ""


def _heading(columns: Columns, width: int) -> Text:
    return _line([(name, "bold") for name, _, _ in columns], columns, width)


def _line(cells: Sequence[Cell], columns: Columns, width: int) -> Text:
    """Return those cells for which there is room side by side, each but the last cut and padded."""
    line = Text(no_wrap=True)
    for (text, style), (_, own, least) in zip(cells, columns, strict=True):
        if width < least:
            continue
        part = Text(text, style=style)
        if own:
            part.truncate(own, overflow="ellipsis")
            part.append(" " * (own - part.cell_len) + _GAP, style="default")
        line.append_text(part)
    return line


def _share(share: int | None, style: str = "") -> Cell:
    return ("-" if share is None else f"{share / WHOLE:.0%}", style)
