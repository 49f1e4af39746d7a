"""What a Suricata alert and its copy in Wazuh have in common, as one number.

Wazuh usually reads eve.json as well and raises rule 86601 for each alert in it, so each Suricata alert
comes twice. Both carry Suricata's own timestamp, signature id and flow id, letter for letter. Several
Suricata alerts may share a key (one packet, several transactions); so do their copies.
"""

from functools import lru_cache
from hashlib import blake2b

_HIGH_BITS = 20  # for the minute
_LOW_BITS = 43  # for all three; 63 in sum, so that a key is a positive integer of SQLite
_MINUTE = 16  # characters of "2026-11-16T06:06"


def copy_key(timestamp: str, signature_id: str, flow_id: str) -> int:
    """Return 63 bits that stand for one Suricata alert, or for the few that share all three.

    The upper 20 bits stand for the minute alone: keys that come together lie together in a B-tree, so
    that a commit touches few pages and not one for each alert.
    """
    return (
        _minute(timestamp[:_MINUTE]) | _hash(f"{timestamp}\x00{signature_id}\x00{flow_id}") >> _HIGH_BITS + 1
    )


@lru_cache(maxsize=256)
def _minute(minute: str) -> int:
    return (_hash(minute) >> _LOW_BITS + 1) << _LOW_BITS


def _hash(joined: str) -> int:
    # Lone surrogates are possible in a JSON string; every string needs some bytes, whichever they are.
    return int.from_bytes(blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
