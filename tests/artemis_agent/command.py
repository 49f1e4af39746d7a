"""The `artemis` of this repository, as a person runs it."""

import subprocess
import sys
from pathlib import Path

from tests.flow.programs import environment


def artemis(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run one command to its end, without this machine's own settings; judge it yourself."""
    command = [sys.executable, "-m", "artemis_agent", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, env=environment())
