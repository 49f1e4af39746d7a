"""How a benchmark ends: its figures for a table and a chart, and whether they keep the floors."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from bench.floors import Floor, below, left_out

FIGURES = "figures"  # the folder, within that of --json, of all figures by benchmark


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --check and --json."""
    parser.add_argument("--check", action="store_true", help="exit code 1 where a ratio is below its floor")
    parser.add_argument(
        "--json", type=Path, metavar="FOLDER", help="write what bench.table prints and bench.chart draws"
    )


def end(
    benchmark: str,
    given: argparse.Namespace,
    floors: list[Floor],
    figures: Mapping[str, float],
    charts: Mapping[str, tuple[str, str, Mapping[str, float]]],
) -> int:
    """Write all figures, and those of charts (title, unit, figures, by file name), if asked.

    Return the exit code.
    """
    if given.json:
        found = given.json / FIGURES
        found.mkdir(parents=True, exist_ok=True)
        (found / f"{benchmark}.json").write_text(json.dumps(figures, indent=1) + "\n")
        for name, (title, unit, drawn) in charts.items():
            told = {"title": title, "unit": unit, "figures": drawn}
            (given.json / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")
    for peer in left_out(floors, figures):
        print(f"left out: {peer} (bench/peers.sh unpacks the peers)")
    wrong = list(below(floors, figures))
    for each in wrong:
        print(f"BELOW: {each}")
    return 1 if wrong and given.check else 0
