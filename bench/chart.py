"""Bars for docs/performance.md, from what benchmarks wrote with --json: python -m bench.chart FILE…"""

import argparse
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path

from bench.table import short

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "charts"
OURS = ("artemis", "socme")
WIDTH, LABEL, BAR, GAP, TOP = 760, 210, 22, 8, 44  # pixels


def bars(title: str, unit: str, figures: Mapping[str, float]) -> str:
    """Return an SVG with one bar for each figure, ours in another colour."""
    most = max(figures.values())
    height = TOP + len(figures) * (BAR + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="13">',
        "<style>text { font-family: sans-serif; fill: #111; }</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#fff"/>',
        f'<text x="12" y="26" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for index, (name, figure) in enumerate(figures.items()):
        y = TOP + index * (BAR + GAP)
        long = max(2.0, (WIDTH - LABEL - 120) * figure / most)
        colour = "#0b6e4f" if name.startswith(OURS) else "#8a94a6"
        middle = y + BAR * 0.7
        parts += [
            f'<text x="{LABEL - 10}" y="{middle:.0f}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{long:.0f}" height="{BAR}" rx="3" fill="{colour}"/>',
            f'<text x="{LABEL + long + 8:.0f}" y="{middle:.0f}">{short(figure)} {escape(unit)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Write a chart for each file: {"title": …, "unit": …, "figures": {name: number}}."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    FOLDER.mkdir(exist_ok=True)
    for path in parser.parse_args().files:
        told = json.loads(path.read_text())
        (FOLDER / f"{path.stem}.svg").write_text(bars(told["title"], told["unit"], told["figures"]))


if __name__ == "__main__":
    main()
