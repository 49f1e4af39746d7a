"""Append alerts to a log as Suricata does, one write(2) each: python -m bench.writer LOG ALERTS RATE COUNT.

Each line carries the time right before its write. A rate of 0 writes all at once. A program of its own, so
that what is measured shares no interpreter with it.
"""

import os
import sys
import time
from pathlib import Path

KEY = b'"written_ns":'
_AT_ONCE = 200  # lines in one write of a burst
_BUSY = 1000.0  # a second, from which on lines are written in ticks of a millisecond


def main() -> None:
    """Write."""
    log, source, rate, count = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    heads = [line[:-1] + b"," + KEY for line in source.read_bytes().splitlines()]
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    if rate:
        _paced(descriptor, heads, rate, count)
    else:
        for begin in range(0, count, _AT_ONCE):
            numbers = range(begin, min(count, begin + _AT_ONCE))
            os.write(descriptor, b"".join(_line(heads, number) for number in numbers))
    os.close(descriptor)


def _line(heads: list[bytes], number: int) -> bytes:
    return heads[number % len(heads)] + b"%d}\n" % time.time_ns()


def _paced(descriptor: int, heads: list[bytes], rate: float, count: int) -> None:
    began, number = time.perf_counter(), 0
    tick = 1 / min(rate, _BUSY)
    while number < count:
        due = min(count, int((time.perf_counter() - began) * rate) + 1)
        while number < due:
            os.write(descriptor, _line(heads, number))
            number += 1
        wait = began + max(number / rate, 0) - time.perf_counter()
        if wait > 0:
            time.sleep(max(wait, tick / 2) if rate > _BUSY else wait)  # noqa: TID251 - this is the pace


if __name__ == "__main__":
    main()
