"""What README.md tells a new user to type is typed here: a hub, a node and a screen, to the first alert."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.flow import orphans
from tests.flow.programs import environment, free_port

pytestmark = pytest.mark.slow

LIMIT = 110.0  # seconds
# A person waits until a daemon is up and an alert has come through: for what, before or after which line.
WAITS: Mapping[str, str] = {
    r"^zeus serve .*\n": r"\g<0>until zeus check --config zeus.toml | grep 'hub answers'; do sleep 0.1; done"
    "\n",
    r"^artemis run .*\n": r"\g<0>until artemis status --config artemis.toml | grep connected; do :; done"
    "\n",
    r"^zeus alert list .*\n": r"until zeus alert list --config zeus.toml | grep hello; do :; done"
    "\n"
    r"\g<0>",
    r"^hermes tail (--config \S+).*\n": r"hermes tail \1 > tail & until grep hello tail; do sleep 0.1; done"
    "\n",
}
ENDING = "trap 'kill $(jobs -p); wait' EXIT"  # whatever happens, the daemons end with the script


def port_with_the_next_one_free() -> int:
    while True:
        port = free_port()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port + 1)):
                return port


def script(folder: Path, port: int) -> str:
    """Return the README's way by hand, in a folder and on a port of its own."""
    part = (REPOSITORY / "README.md").read_text().partition("\n## By hand\n")[2].partition("\n## ")[0]
    typed = "".join(re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL))
    typed = typed.replace("/tmp/socme", str(folder)).replace("8443", str(port))
    for line, waiting in WAITS.items():
        typed, found = re.subn(line, waiting, typed, flags=re.MULTILINE)
        assert found == 1, f"README.md has {found} lines like {line}"
    return f"set -eu\n{ENDING}\n{typed}"


def test_a_new_users_way_by_hand_leads_to_an_alert(tmp_path: Path) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (
        (tmp_path / "told").open("w+") as told,
        subprocess.Popen(
            ["bash", "-c", script(tmp_path, port_with_the_next_one_free())],
            cwd=REPOSITORY,
            env=environment(PATH=programs),
            start_new_session=True,
            stderr=subprocess.STDOUT,
            stdout=told,
        ) as shell,
    ):
        orphans.adopt(shell.pid)
        try:
            code = shell.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            code = None
    text = (tmp_path / "told").read_text()

    assert code == 0, text
    assert re.search(r"high +acme/acme-1 .* hello", text), text
    assert re.search(r"^acme/acme-1 +online", text, re.MULTILINE), text
    assert "FAIL" not in text
    assert "Traceback" not in text
