"""Values from a log line, made good or left out: text, numbers, addresses and times, each within bounds.

Every function takes whatever JSON can hold and never raises. Types in real logs vary: Wazuh turns numbers
into strings ("58121", large ones "478019051995494.000000"), lists may be one string, and so on.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from google.protobuf.timestamp_pb2 import Timestamp

LONGEST_TEXT = 8192  # bytes of UTF-8
LONGEST_ENTRY = 1024  # bytes of UTF-8 of one entry of a list
MOST_ENTRIES = 64  # of a list
LARGEST_INT32 = 2**31 - 1
LARGEST_UINT32 = 2**32 - 1
LARGEST_INT64 = 2**63 - 1
LARGEST_UINT64 = 2**64 - 1

_CUT = "…"  # stands at the end of what was cut, and in the last place of a list that was
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses the first, UTF-8 the others
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.0{1,6})?", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.ASCII)

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(
    rf"{_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII
)  # of one spelling: a twelfth of ip_address's time

_NOTHING: Mapping[str, object] = {}
_LARGEST_PORT = 65535
_LONGEST_ADDRESS = 64  # characters; the longest, with a zone, has 56
_LONGEST_TIME = 64  # characters; the longest that is written has 35
_LEAP_SECOND = slice(17, 19)  # where the seconds stand in "2016-12-31T23:59:60.000000+0000"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a protobuf Timestamp may hold: the years 1 to 9999, in seconds.
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799


def mapping(value: object) -> Mapping[str, object]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else _NOTHING


def first(value: object) -> Mapping[str, object]:
    """Return an object or the first of a list of objects; an empty one for anything else."""
    if isinstance(value, list) and value:
        value = value[0]
    return mapping(value)


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """Return a string or a whole number as text that can be encoded and stored; "" for anything else."""
    if not isinstance(value, str):
        if not isinstance(value, int) or isinstance(value, bool):
            return ""
        value = str(value)
    if len(value) <= longest and value.isascii() and "\x00" not in value:
        return value
    return _storable(value, longest)


def texts(value: object) -> Sequence[str]:
    """Return the strings and whole numbers of a list, or the only one where there is no list."""
    entries = value if isinstance(value, list) else [value]
    found = [entry for each in entries[: MOST_ENTRIES + 1] if (entry := text(each, LONGEST_ENTRY))]
    if len(entries) > MOST_ENTRIES:
        return [*found[: MOST_ENTRIES - 1], _CUT]
    return found


def integer(value: object, lowest: int, highest: int) -> int | None:
    """Return a whole number, also from its digits; None for anything else and outside the bounds."""
    if type(value) is int:  # by far the most
        return value if lowest <= value <= highest else None
    if isinstance(value, str):
        number = int(value.partition(".")[0]) if _NUMBER.fullmatch(value) else None
    else:
        number = int(value) if isinstance(value, float) and value.is_integer() else None
    return number if number is not None and lowest <= number <= highest else None


def port(value: object) -> int:
    """Return a port; 0 for anything else."""
    return integer(value, 0, _LARGEST_PORT) or 0


def address(value: object) -> str:
    """Return an IP address in its shortest form; "" for anything else.

    A zone (%eth0) is left out: it says nothing beyond the machine that wrote it, and databases refuse it.
    """
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_ADDRESS:
        return value if _IPV4.fullmatch(value) else _address(value)
    return ""


def mac(value: object) -> str:
    """Return a MAC address in lower case with colons; "" for anything else."""
    if not isinstance(value, str):
        return ""
    plain = value.lower().replace("-", ":")
    return plain if _MAC.fullmatch(plain) else ""


def moment(value: object) -> Timestamp | None:
    """Return the time that ISO 8601 text or a number of seconds since 1970 says; None for anything else.

    Text without a zone says no moment: guessing one would be wrong by hours, and the time at which the
    line was read is at hand.
    """
    if isinstance(value, str):
        return _from_text(value) if len(value) <= _LONGEST_TIME else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not _FIRST_SECOND <= value <= _LAST_SECOND:  # false for NaN as well
        return None
    seconds, microseconds = divmod(round(value * 1_000_000), 1_000_000)
    return Timestamp(seconds=seconds, nanos=microseconds * 1000)


def timestamp(time: datetime) -> Timestamp:
    """Return an aware time."""
    since = time - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def _storable(value: str, longest: int) -> str:
    clean = _UNSTORABLE.sub(_REPLACEMENT, value[:longest])
    encoded = clean.encode()
    if len(value) <= longest and len(encoded) <= longest:
        return clean
    return encoded[: longest - len(_CUT.encode())].decode(errors="ignore") + _CUT


@lru_cache(maxsize=8192)  # a site sees few addresses many times; about 2 MB when full
def _address(value: str) -> str:
    try:
        parsed = ip_address(value)
    except ValueError:
        return ""
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:  # Python spells these in two ways, by its version
        return f"::ffff:{parsed.ipv4_mapped}"
    return str(IPv6Address(int(parsed)))


def _from_text(value: str) -> Timestamp | None:
    leap = value[_LEAP_SECOND] == "60"  # UTC has them, Python has not: the second after the one before
    try:
        time = datetime.fromisoformat(f"{value[:17]}59{value[19:]}" if leap else value)
    except ValueError:
        return None
    if time.tzinfo is None:
        return None
    found = timestamp(time)
    if leap:
        found.seconds += 1
    return found if _FIRST_SECOND <= found.seconds <= _LAST_SECOND else None
