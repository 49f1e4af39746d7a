"""From one line to the keys that a source reads of it: strict and partial first, lenient where it must be.

Nearly every line takes the fast way: msgspec decodes the keys that a structure names and skips the rest.
What it refuses and what can be mended goes through Python's own decoder: bytes that are not UTF-8 (Wazuh
passes them on as they came), a byte order mark, NULs around a record (a crash left zeros in the file),
raw control characters in strings, lone surrogate escapes, NaN, numbers too long for a machine, and the
"@cee:" prefix of syslog. Of a key that stands twice, the last one counts, either way.
"""

import json
from collections.abc import Mapping
from typing import TypeVar

import msgspec

Structure = TypeVar("Structure", bound=msgspec.Struct)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SYSLOG_PREFIX = b"@cee:"
_AROUND = b" \t\r\n\x00"  # what may stand before and after a record without belonging to it
_LONGEST_NUMBER = 100  # digits; no field holds more, and Python refuses to convert 4,301


class UndecodableError(ValueError):
    """A line that is not JSON, even with patience, or no record of its kind. The message says why."""


def decode(
    raw: bytes, decoder: msgspec.json.Decoder[Structure], structure: type[Structure]
) -> Structure | None:
    """Return what a line holds; None for a blank one and for JSON that is no object.

    `decoder` is one for `structure`, whose fields take any type: a field of the wrong type is the
    reader's to mend, not a reason to refuse the line.
    """
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = _mended(raw)
    return None if fields is None else pick(fields, structure)


def pick(fields: Mapping[str, object], structure: type[Structure]) -> Structure:
    """Return the keys of an object that a structure names."""
    return structure(**{key: fields[key] for key in structure.__struct_fields__ if key in fields})


def _mended(raw: bytes) -> Mapping[str, object] | None:
    body = raw.strip(_AROUND).removeprefix(_BYTE_ORDER_MARK).strip(_AROUND)
    if not body:
        if b"\x00" in raw:
            raise UndecodableError("nothing but NUL bytes")
        return None
    text = body.removeprefix(_SYSLOG_PREFIX).decode("utf-8", "replace").lstrip()
    try:
        value = _PATIENT.decode(text)
    except RecursionError:
        raise UndecodableError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise UndecodableError(f"not JSON: {error.msg} at character {error.pos}") from None
    return value if isinstance(value, dict) else None


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else None


def _nothing(_token: str) -> None:
    return None


_PATIENT = json.JSONDecoder(strict=False, parse_int=_whole, parse_constant=_nothing)
