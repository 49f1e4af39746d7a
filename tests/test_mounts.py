"""What a killed test leaves mounted is gone."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.lacking import lacking

KILLED = """
import os, signal, subprocess, sys
from tests.mounts import apart
apart()
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", sys.argv[1]], check=True)
print(os.path.ismount(sys.argv[1]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_test_that_is_killed_leaves_nothing_mounted(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if not killed.stdout:
        lacking(f"nothing can be mounted here: {killed.stderr.strip()}")

    assert killed.stdout == "True\n"
    assert not tmp_path.is_mount()
