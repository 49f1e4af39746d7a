"""Recorded Suricata and Wazuh output, played again as if it happened now.

The recordings in `data` were made by the project (tests/generate): real Suricata over captures of its own,
and Wazuh's alerts for the same minutes. They are cut into beats of one alert each. A beat is moved to the
present as a whole, so that Wazuh's copy of a Suricata alert still carries exactly its time.
"""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from itertools import cycle
from pathlib import Path

COPY_RULE = "86601"  # Wazuh's number for an alert that it read from Suricata
BURST = 8  # beats played at once, so that there is something to see
SLOWEST, FASTEST = 5.0, 1.5  # seconds between two beats of a site; with two sites an alert every 1 to 3 s

_TIME = re.compile(
    rb"(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{6}|\d{3})\+0000)?"
    rb"|(?P<syslog>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
    rb"|(?P<access>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d)"
    rb'|"id":"(?P<epoch>\d{10})(?=\.\d)'
)


@dataclass(frozen=True, slots=True)
class Beat:
    """One alert and the quiet records before it."""

    at: datetime
    """The latest recorded time in it."""
    eve: tuple[bytes, ...]
    """Lines for eve.json."""
    wazuh: tuple[bytes, ...]
    """Lines for alerts.json: the copy of the Suricata alert, or an alert that is Wazuh's own."""


def recorded() -> tuple[bytes, bytes]:
    """Return the recorded eve.json and alerts.json."""
    folder = resources.files("socme.demo") / "data"
    return (folder / "eve.json").read_bytes(), (folder / "alerts.json").read_bytes()


def beats(eve: bytes, wazuh: bytes) -> list[Beat]:
    """Cut two recordings of the same minutes into beats, in the order of time."""
    copies: dict[tuple[str, str], bytes] = {}
    own: list[Beat] = []
    for line in wazuh.splitlines():
        alert = json.loads(line.decode("utf-8", "replace"))
        if alert["rule"]["id"] == COPY_RULE:
            data = alert["data"]
            copies[data["timestamp"], data.get("flow_id", "") + data["alert"]["signature_id"]] = line
        else:
            own.append(Beat(_when(alert), (), (line,)))
    return sorted([*own, *_suricata(eve, copies)], key=lambda beat: beat.at)


def _suricata(eve: bytes, copies: Mapping[tuple[str, str], bytes]) -> Iterator[Beat]:
    quiet: list[bytes] = []
    # Suricata's threads were not equally far in the capture, so its lines are not in the order of time.
    for record, line in sorted(
        ((json.loads(line), line) for line in eve.splitlines()), key=lambda pair: _when(pair[0])
    ):
        quiet.append(line)
        if record["event_type"] != "alert":
            continue
        flow = f"{record['flow_id']:f}" if "flow_id" in record else ""
        copy = copies.get((record["timestamp"], flow + str(record["alert"]["signature_id"])))
        at = _when(record) if copy is None else _when(json.loads(copy))
        yield Beat(at, tuple(quiet), () if copy is None else (copy,))
        quiet = []


def _when(record: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(record["timestamp"])


def moved(line: bytes, shift: timedelta) -> bytes:
    """Return a recorded line with every time in it moved, however it is written."""

    def fresh(found: re.Match[bytes]) -> bytes:
        match found.lastgroup, found.group().decode():
            case "epoch", text:
                return f'"id":"{int(text[6:]) + int(shift.total_seconds())}'.encode()
            case "syslog", text:
                # A syslog line has no year; any leap year will do for moving it.
                at = datetime.strptime(f"2024 {text}", "%Y %b %d %H:%M:%S") + shift  # noqa: DTZ007
                return f"{at:%b} {at.day:>2} {at:%H:%M:%S}".encode()
            case "access", text:
                return f"{datetime.strptime(text, '%d/%b/%Y:%H:%M:%S') + shift:%d/%b/%Y:%H:%M:%S}".encode()  # noqa: DTZ007
            case _, text:
                return _iso(text, shift).encode()

    return _TIME.sub(fresh, line)


def _iso(text: str, shift: timedelta) -> str:
    at = datetime.fromisoformat(text) + shift
    fraction = text[20:].partition("+")[0]
    zone = "+0000" if fraction else ""
    digits = f".{at.microsecond:06}"[: len(fraction) + 1] if fraction else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{digits}{zone}"


def relocated(line: bytes, names: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a line in which a site's addresses and names are those of another site."""
    for old, new in names:
        line = line.replace(old, new)
    return line


def pauses(rng: random.Random) -> Iterator[float]:
    """Yield seconds to wait before each beat: none for the first few, then a person's pace."""
    yield from (0.0 for _ in range(BURST))
    while True:
        yield rng.uniform(FASTEST, SLOWEST)


def endless(played: Sequence[Beat], rng: random.Random) -> Iterator[Beat]:
    """Yield beats for ever, mixed: in recorded order the same alert would come many times in a row."""
    return cycle(rng.sample(played, len(played)))


def play(beat: Beat, now: datetime, names: Sequence[tuple[bytes, bytes]], eve: Path, wazuh: Path) -> None:
    """Append a beat to the two files as it would happen now."""
    shift = now - beat.at
    for path, lines in ((eve, beat.eve), (wazuh, beat.wazuh)):
        if lines:
            with path.open("ab") as file:
                file.write(b"".join(relocated(moved(line, shift), names) + b"\n" for line in lines))
