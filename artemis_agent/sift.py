"""Keep what may be an alert: a byte search over blocks of lines, without parsing the rest.

The text `"event_type":"alert"` cannot stand inside a JSON string (its quotes would be escaped), so every
Suricata alert in the usual spelling is found, and what is found too much (an object inside another
record) is told apart by whoever decodes it. Spelling that the search would miss, blanks around the colon
or escapes, is noticed by decoding the first lines of each file and one line of every block; from there on
every line of that file is decoded. Wazuh's alerts.json holds alerts only: every line goes on.
"""

import re

import msgspec
import stringzilla

from artemis_agent.decode import UndecodableError, decode
from artemis_agent.source import Kind

NEEDLE = b'"event_type":"alert"'
_USUAL_KEY = b'"event_type":"'
_FIRST_LINES = 1_000  # of each file are decoded: odd spelling is a setting and shows early
_BLANK = b" \t\r\x00"  # a line of these is none; NULs are what a crash leaves
_PIECE = re.compile(rb'\s*(?:[\[{]|[\]}],?|"[^"]*"\s*:.*)\s*')  # of a record that stretches over many lines


class _Event(msgspec.Struct):
    event_type: object = None


_DECODER = msgspec.json.Decoder(_Event)


class Sifted(msgspec.Struct, frozen=True):
    """What one block held."""

    spans: list[tuple[int, int]]
    """Where in the block the candidates are, without their line feeds."""
    lines: int
    """How many lines it had; blank ones are left out where lines were looked at one by one."""

    @property
    def size(self) -> int:
        """How many bytes the candidates are."""
        return sum(end - begin for begin, end in self.spans)

    @property
    def passed(self) -> int:
        """How many of them are no candidates."""
        return self.lines - len(self.spans)


class Sieve:
    """Sifts the blocks of one file, in order, and learns its spelling."""

    def __init__(self, kind: Kind) -> None:
        self._every_line_passes = kind == "wazuh"
        self._to_sample = _FIRST_LINES
        self._unusual = False
        self._many_lines = False

    @property
    def problem(self) -> str:
        """Why alerts of this file cannot be seen; empty when all is well."""
        if not self._many_lines:
            return ""
        return "its records stretch over many lines: remove `compact: no` from eve-log in suricata.yaml"

    def sift(self, block: bytearray, size: int) -> Sifted:
        """Return what the first `size` bytes of a block of whole lines hold."""
        spans, lines, start = self._find(block, size)
        return Sifted(spans, lines + _count(block, start, size))

    def find(self, block: bytearray, size: int) -> list[tuple[int, int]]:
        """Return where what `sift` finds is. To count the lines as well takes twice as long."""
        return self._find(block, size)[0]

    def _find(self, block: bytearray, size: int) -> tuple[list[tuple[int, int]], int, int]:
        """Return the candidates, and how many lines were looked at, up to where."""
        if self._every_line_passes:
            spans = _lines(block, 0, size)
            return spans, len(spans), size
        spans, lines, start = self._sample(block, size)
        _search(block, start, size, spans)
        return spans, lines, start

    def _sample(self, block: bytearray, size: int) -> tuple[list[tuple[int, int]], int, int]:
        """Decode lines for as long as the spelling is in question; return candidates, lines and the end."""
        spans: list[tuple[int, int]] = []
        lines = start = 0
        while start < size and (self._unusual or self._to_sample > 0 or not lines):
            end = block.find(b"\n", start, size)
            end = size if end < 0 else end
            line = bytes(memoryview(block)[start:end])
            if line.strip(_BLANK):
                lines += 1
                self._to_sample -= 1
                if self._may_be_alert(line):
                    spans.append((start, end))
            start = end + 1
        return spans, lines, start

    def _may_be_alert(self, line: bytes) -> bool:
        """Decode a line. One that is not JSON goes on, to be counted, unless the whole file is such."""
        try:
            event = decode(line, _DECODER, _Event)
        except UndecodableError:
            self._many_lines = self._many_lines or _PIECE.fullmatch(line) is not None
            return not self._many_lines
        if event is None:
            return False
        self._many_lines = False
        if isinstance(event.event_type, str) and _USUAL_KEY not in line:
            self._unusual = True
        return event.event_type == "alert"


def _search(block: bytearray, start: int, size: int, spans: list[tuple[int, int]]) -> None:
    """Add the lines that hold the needle."""
    while start < size and (hit := stringzilla.find(block, NEEDLE, start, size)) >= 0:
        begin = max(start, block.rfind(b"\n", start, hit) + 1)
        end = block.find(b"\n", hit, size)
        end = size if end < 0 else end
        spans.append((begin, end))
        start = end + 1


def _lines(block: bytearray, start: int, size: int) -> list[tuple[int, int]]:
    """Return where the lines are that are not blank."""
    spans = []
    for line in bytes(memoryview(block)[start:size]).split(b"\n"):
        end = start + len(line)
        if line.strip(_BLANK):
            spans.append((start, end))
        start = end + 1
    return spans


def _count(block: bytearray, start: int, size: int) -> int:
    """Return how many lines there are, blank or not."""
    if start >= size:
        return 0
    feeds: int = stringzilla.count(block, b"\n", start, size)
    return feeds + (block[size - 1] != ord("\n"))
