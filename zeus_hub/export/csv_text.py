"""Alerts as CSV (RFC 4180), for people and their spreadsheets: UTF-8, one line a row, ended by CR LF.

Whoever makes a sensor raise an alert chooses its text, and a spreadsheet takes a cell for a formula by its
first character. A cell of text that begins with one of GUARDED has an apostrophe put before it, so that it is
text everywhere. So has each part behind a semicolon, for there a spreadsheet parts cells where decimals are
written with a comma. To take them away, at the beginning and behind each semicolon, gives the text back.
Characters that do something to a terminal or a line, or that nobody sees, are replaced; JSON Lines and
Parquet have them all.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from socme.text import REPLACEMENT, UNSAFE
from socme.v1.watch_pb2 import StoredAlert
from socme.view import stamp
from zeus_hub.export.columns import COLUMNS, Value, row

# Excel and LibreOffice take the first four for formulas, the wide ones where East Asian text is usual. What
# begins with an apostrophe has one more: else to take it away would change it.
GUARDED = tuple("=+-@\t\r'\uff1d\uff0b\uff0d\uff20")
BETWEEN = ";"  # what stands between the parts of a list
# Quotes before a part are taken off where it is a cell. At the beginning they are kept: it is in quotes then.
_GUARDED = re.escape("".join(GUARDED))
_TAKEN = re.compile(f'^(?=[{_GUARDED}])|(?<={BETWEEN})(?="*[{_GUARDED}])')
_QUOTED = frozenset(',"\r\n')
_HEAD = ",".join(column.name for column in COLUMNS) + "\r\n"


def encode(alerts: Iterable[StoredAlert]) -> Iterator[bytes]:
    """Yield the head, then one line for each alert."""
    yield _HEAD.encode()
    for stored in alerts:
        yield (",".join(map(cell, row(stored))) + "\r\n").encode()


def cell(value: Value) -> str:
    """Return a value as it stands in a file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, bytes):
        return _text(value.decode(errors="replace"))
    return _text(BETWEEN.join(value) if isinstance(value, list) else value)


def _text(text: str) -> str:
    safe = UNSAFE.sub(REPLACEMENT, _TAKEN.sub("'", text))
    return '"{}"'.format(safe.replace('"', '""')) if not _QUOTED.isdisjoint(safe) else safe
