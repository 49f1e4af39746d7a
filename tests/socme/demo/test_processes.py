"""Children of the demo: what they print, why they failed, and that none is left."""

import socket
from pathlib import Path

import pytest

from socme.demo import processes
from socme.demo.processes import Daemon
from socme.errors import OperatorError


async def test_a_command_gives_what_it_prints() -> None:
    assert (await processes.command("zeus", "--version")).startswith("zeus ")


async def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    missing = tmp_path / "zeus.toml"

    with pytest.raises(OperatorError, match=f"zeus: there is no settings file {missing}"):
        await processes.command("zeus", "client", "list", "--config", str(missing))


async def test_a_daemon_that_ends_says_why(tmp_path: Path) -> None:
    arguments = ("run", "--config", str(tmp_path / "artemis.toml"))
    daemon = Daemon("the node", "artemis", arguments, tmp_path / "log")

    with pytest.raises(OperatorError, match=r"the node ended with 1:\n.*there is no settings file"):
        await processes.run(daemon, lambda _: None, lambda _: None)


def test_a_free_port_can_be_bound() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", processes.free_port()))


def test_no_setting_of_the_demos_user_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEUS_LISTEN", "0.0.0.0:8443")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")

    given = processes.environment(NOTIFY_SOCKET="ours")

    assert "ZEUS_LISTEN" not in given
    assert given["NOTIFY_SOCKET"] == "ours"
