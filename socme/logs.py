"""Log lines for people and journald: a fixed message and fields, on standard error.

`event(log, logging.INFO, "connected", hub="zeus:8443")` prints `connected hub=zeus:8443`. Values are
cleaned of control characters, so that no alert's text can break a line or reach a terminal.
"""

import logging
import os
import sys

from socme.text import clean

LONGEST_VALUE = 300  # characters of one field
# journald reads a syslog priority from the head of a line.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def event(log: logging.Logger, level: int, message: str, **fields: object) -> None:
    """Log a fixed message with fields."""
    log.log(level, message, extra={"fields": fields})


def set_up(*, debug: bool = False) -> None:
    """Send all logs of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journald="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if debug else logging.INFO, force=True)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's core writes to standard error by itself


def hush(*libraries: str) -> None:
    """Keep what libraries say out of the log: they name addresses in full, with the tokens in them."""
    for library in libraries:
        logger = logging.getLogger(library)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # without any, Python prints warnings by itself


class _Formatter(logging.Formatter):
    def __init__(self, *, journald: bool) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%S%z")
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        if self._journald:
            head = f"<{_PRIORITIES.get(record.levelno, 5)}>"
        else:
            head = f"{self.formatTime(record, self.datefmt)} {record.levelname.lower():7} "
        fields: dict[str, object] = getattr(record, "fields", {})
        tail = "".join(f" {key}={_value(value)}" for key, value in fields.items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{head}{record.getMessage()}{tail}{trace}"


def _value(value: object) -> str:
    text = clean(str(value), LONGEST_VALUE)
    return repr(text) if " " in text or not text else text
