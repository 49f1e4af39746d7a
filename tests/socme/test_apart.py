import os
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

from socme.apart import apart
from socme.errors import OperatorError


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def work() -> NoReturn:
        raise error

    return work


def test_it_is_done_in_another_process() -> None:
    assert apart(os.getpid) not in {os.getpid(), 0}


def test_what_it_imports_does_not_stay() -> None:
    def work() -> bool:
        sys.modules["lodger"] = sys
        return "lodger" in sys.modules

    assert apart(work)
    assert "lodger" not in sys.modules


def test_much_is_returned_whole() -> None:
    """More than a pipe holds."""
    assert apart(lambda: b"x" * 1_000_000) == b"x" * 1_000_000


def test_what_it_raises_rises_here() -> None:
    with pytest.raises(OperatorError, match="wrong") as raised:
        apart(raising(OperatorError("wrong", "Mend it.")))

    assert raised.value.mend == "Mend it."


def test_where_it_was_raised_is_told() -> None:
    with pytest.raises(ValueError, match="bad") as raised:
        apart(raising(ValueError("bad")))

    assert "in work" in "".join(raised.value.__notes__)


def test_what_cannot_be_returned_is_no_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ChildProcessError, match="ended with 1"):
        apart(lambda: lambda: None)

    assert "pickle" in capfd.readouterr().err


def test_one_that_is_killed_is_no_silence() -> None:
    with pytest.raises(ChildProcessError, match="ended with -9"):
        apart(lambda: os.kill(os.getpid(), 9))


def test_a_parent_that_is_killed_leaves_a_child_that_says_nothing() -> None:
    work = (
        "import os, threading; from socme.apart import apart;"
        "apart(lambda: (os.write(1, b'.'), threading.Event().wait(0.3)))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", work], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        parent.stdout.read(1)
        parent.kill()

        assert parent.stderr.read() == b""  # it ends with the child, who has it as well
