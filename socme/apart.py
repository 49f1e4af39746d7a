"""Do something in a process of its own, so that what it imports does not stay in this one.

For the start of a daemon: the command line and the settings are read with libraries that take more memory
than the daemon's own code, and are some numbers and paths in the end.
"""

import os
import pickle
import traceback
from collections.abc import Callable
from typing import NoReturn, TypeVar

Result = TypeVar("Result")


def apart(work: Callable[[], Result]) -> Result:
    """Return what `work` returns in a child of this process, or raise what it raises there.

    Either must be something that pickle knows. Call it before there are threads: a fork takes none along.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _tell(writing, work)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise ChildProcessError(f"a child process ended with {os.waitstatus_to_exitcode(status)}")
    result, error = pickle.loads(told)  # noqa: S301 - our own child wrote it
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _tell(writing: int, work: Callable[[], object]) -> NoReturn:
    """Do it, write what came of it, and end; nothing that the parent began is ended twice."""
    code = 1
    try:
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(_attempt(work), pipe)
        code = 0
    except BrokenPipeError:  # the parent is gone: there is nobody to tell
        pass
    except BaseException:  # noqa: BLE001 - nothing may leave the child
        traceback.print_exc()
    finally:
        os._exit(code)


def _attempt(work: Callable[[], object]) -> tuple[object, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - the parent raises it
        error.add_note("".join(traceback.format_tb(error.__traceback__)))
        return None, error
