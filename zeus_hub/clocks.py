"""What tells the time at the hub."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from socme.identity import utc_now


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clock on the wall, which may be put forward or back, and one that only goes on."""

    wall: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment."""
