"""Text from alerts, made safe to show on a terminal, in a log line and on a screen.

Whoever can make a sensor raise an alert chooses much of its text. Control characters move a cursor or
end a line; bidirectional and invisible ones show something else than what is there.
"""

import re

# C0 and C1 controls, zero-width and bidirectional formatting, byte order mark, line separators, and
# lone surrogates, which no encoder takes.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str, longest: int) -> str:
    """Return `text` on one line, with unsafe characters replaced, cut to `longest` characters."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return _UNSAFE.sub(REPLACEMENT, cut)
