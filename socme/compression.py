"""zstd with SOCme's own dictionary: what all alerts have in common is not sent and kept with each.

A lone alert takes a third to two thirds of what it takes without. Frames name their dictionary by its number,
so that those without one are read as well. socme/alerts.zdict is made by bench/dictionary.py, and not changed
once nodes have it.
"""

import pkgutil
import threading
from collections.abc import Sequence
from functools import cache

import zstandard

# Of 500 alerts together, 3 saves a fifth against 1, of few it saves a twentieth, for 1.5 microseconds each.
# Higher levels cost the node more than they save.
LEVEL = 3
MANY = 50  # frames that are better made together, which takes 10 microseconds to begin with


class _Contexts(threading.local):
    """What compresses and decompresses, made once in each thread that asks: only one may use it at a time."""

    def __init__(self) -> None:
        dictionary = _dictionary()
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)


def compress(plain: bytes) -> bytes:
    """Return a frame that names its size and carries a checksum."""
    return _contexts().compressor.compress(plain)


def compress_all(plains: Sequence[bytes]) -> list[bytes]:
    """Return a frame for each, the same as `compress` does.

    Of many together, other threads run meanwhile: alone, each would let go of Python's lock and wait for it.
    """
    if len(plains) < MANY:
        return [compress(plain) for plain in plains]
    frames = _contexts().compressor.multi_compress_to_buffer(list(plains))
    return [frames[number].tobytes() for number in range(len(plains))]


def decompress(frame: bytes, *, most: int) -> bytes:
    """Return what a frame holds, of `most` bytes at most; raise zstandard.ZstdError where it is damaged."""
    return _contexts().decompressor.decompress(frame, max_output_size=most)


@cache
def _contexts() -> _Contexts:
    return _Contexts()


@cache
def _dictionary() -> zstandard.ZstdCompressionDict:
    shipped = pkgutil.get_data("socme", "alerts.zdict")
    assert shipped is not None  # noqa: S101 - with the package
    found = zstandard.ZstdCompressionDict(shipped)
    found.precompute_compress(level=LEVEL)
    return found
