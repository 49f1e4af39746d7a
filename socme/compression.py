"""zstd with SOCme's own dictionary: what all alerts have in common is not sent and kept with each.

Bodies in the store name the dictionary; batches, in spool and journal too, do not: their encoding does.
socme/alerts.zdict is made by bench/dictionary.py, and not changed once nodes have it. Frames that were made
without one are read as well.
"""

import pkgutil
import threading
from collections.abc import Sequence
from functools import cache, cached_property

import zstandard

MANY = 50  # frames that are better made together, which takes 10 microseconds to begin with
# What the store keeps, each alert by itself: level 3 takes a twentieth less than 1, for 1.5 us.
_QUICK = zstandard.ZstdCompressionParameters.from_level(3, write_checksum=True, write_dict_id=True)
# What travels. Against level 3 it takes a tenth less, for 8 to 10 microseconds of each alert. zstd's own
# levels save less for as much: short matches cost three bytes each to name, and the tables that they choose
# for little text are too small for what a dictionary holds. The window of 1 MiB is that of a whole batch.
_SMALL = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_LAZY,
    window_log=20,
    hash_log=17,
    chain_log=17,
    search_log=4,
    min_match=5,
    target_length=16,
    write_checksum=True,
    write_dict_id=False,  # a batch's encoding says it (uplink.proto): four bytes are 1 % of a lone alert
)


class _Contexts(threading.local):
    """What compresses and decompresses, made once in each thread that asks: only one may use it at a time."""

    @cached_property
    def compressor(self) -> zstandard.ZstdCompressor:
        """Return what compresses quickly."""
        return zstandard.ZstdCompressor(dict_data=_indexed(_QUICK), compression_params=_QUICK)

    @cached_property
    def small(self) -> zstandard.ZstdCompressor:
        """Return what compresses well."""
        return zstandard.ZstdCompressor(dict_data=_indexed(_SMALL), compression_params=_SMALL)

    @cached_property
    def decompressor(self) -> zstandard.ZstdDecompressor:
        """Return what decompresses both."""
        return zstandard.ZstdDecompressor(dict_data=_dictionary())


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


def compress_well(plain: bytes, *, noise: int = 0) -> bytes:
    """Return such a frame, a tenth smaller, in three times the time.

    The first `noise` bytes are a block of their own: what cannot be compressed would spoil the rest's code.
    """
    if not noise:
        return _contexts().small.compress(plain)
    frame = _contexts().small.compressobj(size=len(plain))
    head = frame.compress(plain[:noise]) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return head + frame.compress(plain[noise:]) + frame.flush()


def decompress(frame: bytes, *, most: int) -> bytes:
    """Return what a frame holds, of `most` bytes at most; raise zstandard.ZstdError where it is damaged."""
    return _contexts().decompressor.decompress(frame, max_output_size=most)


def is_of_another(frame: bytes) -> bool:
    """Return whether a frame names a dictionary that is not the shipped one."""
    try:
        named = zstandard.get_frame_parameters(frame).dict_id
    except zstandard.ZstdError:
        return False
    return named not in {0, _dictionary().dict_id()}


@cache
def _contexts() -> _Contexts:
    return _Contexts()


@cache
def _indexed(parameters: zstandard.ZstdCompressionParameters) -> zstandard.ZstdCompressionDict:
    """Return the dictionary with tables to search it by, which all threads share."""
    found = _dictionary()
    found.precompute_compress(compression_params=parameters)
    return found


def _dictionary() -> zstandard.ZstdCompressionDict:
    shipped = pkgutil.get_data("socme", "alerts.zdict")
    assert shipped is not None  # noqa: S101 - with the package
    return zstandard.ZstdCompressionDict(shipped)
