"""Text from alerts, made safe to show on a terminal, in a log line and on a screen.

Whoever can make a sensor raise an alert chooses much of its text. Control characters move a cursor or
end a line; bidirectional and invisible ones show something else than what is there.
"""

import re

UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls
    "\xad\u034f\u180e\u200b-\u200d\u2060-\u2065\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a"  # invisible
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0\U000e0000-\U000e0fff"  # the same: fillers, tags, selectors
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # bidirectional
    "\u2028\u2029"  # line separators
    "\ud800-\udfff"  # lone surrogates, which no encoder takes
    "]"
)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str, longest: int) -> str:
    """Return `text` on one line, with unsafe characters replaced, cut to `longest` characters."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return UNSAFE.sub(REPLACEMENT, cut)
