"""What a spool leaves free of its disk: on a full one it could not forget anything either, for ever."""

import os
from collections.abc import Callable

RESERVE_BYTES = 64 * 1024 * 1024  # SQLite needs space to forget, too


def shortage(handle: int, reusable_bytes: Callable[[], int]) -> str:
    """Return what is wrong where an append might take the last of a disk; empty where there is room.

    `handle` is an open file on that disk; what can be used again in the spool's own file counts as free.
    """
    disk = os.fstatvfs(handle)
    free = disk.f_bavail * disk.f_frsize
    if free < RESERVE_BYTES and free + reusable_bytes() < RESERVE_BYTES:
        return f"less than {RESERVE_BYTES // 1024**2} MiB of its disk are free"
    return ""
