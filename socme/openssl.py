"""Leave OpenSSL out of a daemon that speaks TLS by gRPC alone, which brings a library of its own.

asyncio and hashlib load it only because it is there: 4 MiB of memory in which nothing is used. Without it,
the one opens no TLS connections, and the other has Python's own digests. What needs ssl can import it later.
"""

import sys
from importlib import import_module
from importlib.util import find_spec

_PARTS = ("ssl", "_hashlib")
_WHO_ASKS = ("asyncio", "hashlib", "hmac")


def leave_out() -> None:
    """Import those who ask for it as if Python had been built without it. Call it before they are."""
    if find_spec("_md5") is None:  # a Python for FIPS has no digests but OpenSSL's
        return
    absent = [part for part in _PARTS if part not in sys.modules]
    for part in absent:
        sys.modules[part] = None  # type: ignore[assignment]  # to import it is an ImportError then
    try:
        for module in _WHO_ASKS:
            import_module(module)
    finally:
        for part in absent:
            del sys.modules[part]
