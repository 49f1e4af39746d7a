"""Reads the calendar of a rota from its file."""

from pathlib import Path
from zoneinfo import ZoneInfo

from socme.errors import OperatorError
from zeus_hub import rota
from zeus_hub.rota import Rota

MOST_BYTES = 4 * rota.LARGEST  # a character of UTF-8 has four at the most


def load(file: Path, zone: ZoneInfo) -> Rota:
    """Return what a calendar says; raise OperatorError with the file and the reason."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise OperatorError(f"{file}: it has more than {rota.LARGEST} characters", rota.MEND)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise OperatorError(f"{file}: cannot be read: {error.strerror}", rota.MEND) from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{file}: is no text in UTF-8", rota.MEND) from error
    return rota.read(text, str(file), zone)
