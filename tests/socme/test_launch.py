"""How a program begins, and with which code it ends. Tried with a program of its own."""

import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
from socme.errors import OperatorError
from socme.launch import launch

def read():
    sys.modules["large"] = sys  # as a library would be that only commands need
    if "fail" in sys.argv:
        return 2, None
    if "slow" in sys.argv:
        try:
            print("reads", flush=True)
            signal.pause()
        except KeyboardInterrupt:
            return 130, None
    if "stopped" in sys.argv:
        return 130, ["run", "stopped", 0]
    if "idle" in sys.argv:
        return 0, None
    return 0, ["run", sys.argv[-1], os.getpid()]

def serve(order):
    print(order[:2], "large" in sys.modules, order[2] == os.getpid(), flush=True)
    match sys.argv[-1]:
        case "unmended":
            raise OperatorError("no disk", "Buy one.")
        case "bug":
            raise ValueError("a bug")
        case "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        case "over":
            sys.exit(7)

launch("prog", "run", read, serve)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


def test_what_reads_the_command_line_does_not_stay_in_a_daemon() -> None:
    """It is read in another process."""
    done = run("run", "well")

    assert (done.returncode, done.stdout, done.stderr) == (0, "['run', 'well'] False False\n", "")


def test_a_daemon_that_is_asked_for_in_another_place_runs_all_the_same() -> None:
    """As in `artemis -- run`."""
    assert run("--", "run", "well").stdout == "['run', 'well'] True True\n"


@pytest.mark.parametrize("before", [(), ("run",)])
def test_a_command_that_leaves_nothing_to_be_done_ends_with_its_code(before: tuple[str, ...]) -> None:
    for word, code in (("fail", 2), ("idle", 0)):
        done = run(*before, word)

        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_what_a_person_can_mend_is_told() -> None:
    done = run("run", "unmended")

    assert done.returncode == 1
    assert done.stderr == "prog: no disk\n  Buy one.\n"


@pytest.mark.parametrize(("how", "code"), [("bug", 1), ("interrupted", 130), ("over", 7)])
def test_how_a_daemon_ends(how: str, code: int) -> None:
    done = run("run", how)

    assert done.returncode == code
    assert ("a bug" in done.stderr) == (how == "bug")


def test_a_daemon_is_not_begun_where_its_command_did_not_end_well() -> None:
    done = run("run", "stopped")

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_interrupt_during_the_start_is_no_traceback() -> None:
    """Control and C: the terminal sends it to both processes."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", "slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reads\n"
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=20)

    assert (process.returncode, told) == (130, "")


def test_standard_error_may_be_closed() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" run unmended 2>&-', sys.executable, PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.returncode == 1
