"""File systems that tests mount vanish with the processes that could see them, however those end."""

import ctypes
import errno
import os

# sched.h and sys/mount.h. A slave sees what others mount; they do not see what it mounts.
_CLONE_NEWNS = 0x20000
_MS_REC, _MS_SLAVE = 0x4000, 0x80000


def apart() -> None:
    """Give this process, and all that it starts from now on, mounts of its own, where it may mount at all.

    A test that is killed cannot unmount its small disks. On the machine's own tree they would stay, and
    pytest's clean-up of old folders would fail on them in a later run.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None):
        number = ctypes.get_errno()
        if number != errno.EPERM:
            raise OSError(number, f"no mounts of our own: {os.strerror(number)}")
