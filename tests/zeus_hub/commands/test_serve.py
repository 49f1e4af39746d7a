"""The command `zeus serve`, as a program."""

import json
import signal
import subprocess
import sys

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.commands.place import Place

LIMIT = 60  # seconds


def test_it_says_where_it_listens_and_ends_at_sigterm(place: Place) -> None:
    place.set_up('listen = "127.0.0.1:0"')
    arguments = [sys.executable, "-m", "zeus_hub", "serve", "--config", str(place.config)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        ready = next(line for line in program.stderr if "ready" in line)
        written = json.loads((place.state_dir / "hub.json").read_text())
        program.send_signal(signal.SIGTERM)
        out, _ = program.communicate(timeout=LIMIT)

    assert f"listen={written['hub']} enroll_listen={written['enrolment']} ca_sha256=" in ready
    assert (program.returncode, out) == (0, "")


def test_without_settings_it_says_so(place: Place) -> None:
    place.config.unlink()

    with pytest.raises(OperatorError, match="there is no settings file"):
        place.try_("serve")
