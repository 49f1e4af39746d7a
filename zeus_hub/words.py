"""What people write into the hub: cleaned, on one line, and refused where it is too long to be kept whole."""

from socme.errors import OperatorError
from socme.text import clean

LONGEST_NAME = 63  # characters of a person's name
LONGEST_REASON = 500  # characters; a closed alert carries it to every screen
LONGEST_COMMENT = 4000  # characters
LONGEST_SHORT_NAME = 14  # characters of a client's name on a tile


def person(text: str) -> str:
    """Return a person's name; raise OperatorError where there is none."""
    name = _line(text, LONGEST_NAME, "a name")
    if not name:
        raise OperatorError("a person's name is missing", "Give one.")
    return name


def reason(text: str) -> str:
    """Return why an alert was closed; raise OperatorError where nobody says."""
    words = _line(text, LONGEST_REASON, "a reason")
    if not words:
        raise OperatorError("a reason is missing", "Say in a few words why.")
    return words


def comment(text: str) -> str:
    """Return a comment; raise OperatorError where there is none."""
    words = _line(text, LONGEST_COMMENT, "a comment")
    if not words:
        raise OperatorError("the comment is empty", "Write something.")
    return words


def short_name(text: str) -> str:
    """Return a client's name for screens; empty for none."""
    return _line(text, LONGEST_SHORT_NAME, "a short name")


def _line(text: str, longest: int, what: str) -> str:
    """Return text on one line; raise OperatorError where it is too long."""
    line = " ".join(text.split())
    if len(line) > longest:
        raise OperatorError(
            f"{what} has at most {longest} characters; this one has {len(line)}", "Shorten it."
        )
    return clean(line, longest)
