"""Text from alerts, made safe to show on a terminal, in a log line and on a screen.

Whoever can make a sensor raise an alert chooses much of its text. Control characters move a cursor or
end a line; bidirectional and invisible ones show something else than what is there.
"""

import re

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls
    "\xad\u180e\u200b-\u200d\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # invisible
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # bidirectional
    "\u2028\u2029"  # line separators
    "\ud800-\udfff"  # lone surrogates, which no encoder takes
    "]"
)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str, longest: int) -> str:
    """Return `text` on one line, with unsafe characters replaced, cut to `longest` characters."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return _UNSAFE.sub(REPLACEMENT, cut)
