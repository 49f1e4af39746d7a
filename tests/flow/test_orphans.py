"""Programs end with the tests that started them, however those end."""

import os
import select
import subprocess
import sys

from tests.conftest import REPOSITORY

LIMIT = 30.0  # seconds
TESTS = """
import os, signal, subprocess, sys
from tests.flow.orphans import adopt

started = [subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(2)]
for each in started:
    adopt(each.pid)
inner = 'sleep 600 & echo $!; wait'
shell = subprocess.Popen(["sh", "-c", inner], start_new_session=True, stdout=subprocess.PIPE)
adopt(shell.pid)
grandchild = int(shell.stdout.readline())
started[0].kill()
started[0].wait()
print(started[1].pid, shell.pid, grandchild, flush=True)
sys.stdin.read()
"""


def test_a_killed_test_run_leaves_nothing_behind() -> None:
    """Not even what a shell that was started has started."""
    command = [sys.executable, "-c", TESTS]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        watched = [os.pidfd_open(int(pid)) for pid in tests.stdout.readline().split()]
        tests.kill()
    ended = [bool(select.select([each], [], [], LIMIT)[0]) for each in watched]
    for each in watched:
        os.close(each)
    assert ended == [True, True, True]
