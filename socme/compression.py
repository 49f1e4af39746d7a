"""zstd with SOCme's own dictionary: what all alerts have in common is not sent and kept with each.

A lone alert takes half as much as without it. Frames name their dictionary by its number, so that those
without one are read as well. socme/alerts.zdict is made by bench/dictionary.py, and not changed once nodes
have it.
"""

import threading
from functools import cache
from importlib import resources

import zstandard

LEVEL = (
    3  # a fifth smaller than 1 for 1.5 microseconds an alert; higher ones cost the node more than they save
)


class _Contexts(threading.local):
    """What compresses and decompresses; zstandard lets one thread at a time use it."""

    def __init__(self) -> None:
        dictionary = _dictionary()
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)


def compress(plain: bytes) -> bytes:
    """Return a frame that names its size and carries a checksum."""
    return _contexts().compressor.compress(plain)


def decompress(frame: bytes, *, most: int) -> bytes:
    """Return what a frame holds, of `most` bytes at most; raise zstandard.ZstdError where it is damaged."""
    return _contexts().decompressor.decompress(frame, max_output_size=most)


@cache
def _contexts() -> _Contexts:
    return _Contexts()


@cache
def _dictionary() -> zstandard.ZstdCompressionDict:
    found = zstandard.ZstdCompressionDict(resources.files("socme").joinpath("alerts.zdict").read_bytes())
    found.precompute_compress(level=LEVEL)
    return found
