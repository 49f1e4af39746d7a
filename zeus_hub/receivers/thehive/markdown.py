"""Text from alerts within Markdown, where it stays text in every dialect.

Escapes differ: some renderers make links of bare addresses even where each sign is escaped. A code span is
taken word for word by all of them, as long as there is no backtick in it.
"""

from socme.text import clean

INSTEAD_OF_BACKTICK = "\N{MODIFIER LETTER GRAVE ACCENT}"
NOTHING = "-"


def literal(text: str, longest: int) -> str:
    """Return text as a code span on one line, cut to `longest` characters."""
    words = clean(" ".join(text.split()), longest).replace("`", INSTEAD_OF_BACKTICK)
    return f"`{words or NOTHING}`"


def cut(text: str, longest: int) -> str:
    """Return text cleaned, on one line, of at most `longest` characters as TheHive counts them (UTF-16)."""
    words = clean(" ".join(text.split()), longest)
    if _length(words) <= longest:
        return words
    wide = longest - 1  # one is for the ellipsis
    kept = words.encode("utf-16-le")[: 2 * wide].decode("utf-16-le", errors="ignore")
    return kept + "…"


def fits(text: str, longest: int) -> bool:
    """Tell whether TheHive takes a text as it is: clean, on one line, and not too long."""
    return bool(text) and clean(text, max(len(text), 1)) == text and _length(text) <= longest


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
