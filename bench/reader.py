"""Note when lines become readable in a file that grows: python -m bench.reader FILE OFFSET COUNT RESULT.

Writes how many seconds after its write each line came, as JSON, when all have come or none came for some
seconds. For peers, whose receivers write what they take into a file.
"""

import json
import os
import sys
import time
from pathlib import Path

from bench.writer import KEY

_IDLE = 20.0  # seconds without a line after which no more is waited for
_LOOK = 0.0005  # seconds between two looks


def main() -> None:
    """Read until all is there."""
    path, offset, count, result = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    while not path.exists():
        time.sleep(_LOOK)  # noqa: TID251 - this is the pace
    descriptor = os.open(path, os.O_RDONLY)
    os.lseek(descriptor, offset, os.SEEK_SET)
    rest, seconds, last = b"", list[float](), time.monotonic()
    while len(seconds) < count and time.monotonic() - last < _IDLE:
        found = os.read(descriptor, 1 << 20)
        if not found:
            time.sleep(_LOOK)  # noqa: TID251 - this is the pace
            continue
        now, last = time.time_ns(), time.monotonic()
        text = rest + found
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        seconds += ages(text[:end], now)
    result.write_text(json.dumps({"seconds": seconds, "last_ns": time.time_ns()}))


def ages(text: bytes, now: int) -> list[float]:
    """Return how old each line is."""
    found, place = [], 0
    while (place := text.find(KEY, place)) >= 0:
        end = text.find(b"}", place)
        found.append((now - int(text[place + len(KEY) : end])) / 1e9)
        place = end
    return found


if __name__ == "__main__":
    main()
