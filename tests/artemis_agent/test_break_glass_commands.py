"""`artemis break-glass test`."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from artemis_agent.check import check
from artemis_agent.command_line import app
from socme.errors import OperatorError
from tests.zeus_hub.receivers.post import PASSWORD, USER, Office, served, trust

SETTINGS = """
state_dir = "state"
[[source]]
kind = "suricata"
path = "eve.json"
"""


def settings(folder: Path, port: int) -> Path:
    (folder / "password").write_text(PASSWORD)
    path = folder / "artemis.toml"
    path.write_text(
        SETTINGS + f'[break_glass]\nto = ["it@client.example"]\nsender = "artemis@client.example"\n'
        f'host = "localhost"\nport = {port}\nuser = "{USER}"\npassword_file = "password"\n'
        f'ca_file = "ca.pem"\n'
    )
    return path


def run(config: Path) -> str:
    done = CliRunner().invoke(app, ["break-glass", "test", "--config", str(config)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


async def test_a_test_mail_is_sent_and_a_check_sends_none(tmp_path: Path) -> None:
    office = Office()
    async with served(office, starttls=trust(tmp_path).server) as port:
        config = settings(tmp_path, port)
        lines = await asyncio.to_thread(lambda: [str(line) for line in check(config)])
        assert f"ok    break-glass: mail server localhost:{port} for it@client.example" in lines
        assert not office.mails
        said = await asyncio.to_thread(run, config)

    assert "a test mail left for it@client.example" in said
    assert [mail["To"] for mail in office.mails] == ["it@client.example"]


async def test_what_fails_is_told(tmp_path: Path) -> None:
    office = Office(answers={"it@client.example": "550 nobody"})
    async with served(office, starttls=trust(tmp_path).server) as port:
        config = settings(tmp_path, port)
        with pytest.raises(OperatorError, match="takes none of the recipients"):
            await asyncio.to_thread(run, config)
        (tmp_path / "password").unlink()
        lines = await asyncio.to_thread(lambda: [str(line) for line in check(config)])

    (told,) = [line for line in lines if "break-glass" in line]
    assert told.startswith("FAIL  break-glass: ")
    assert "password cannot be read" in told


def test_without_settings_there_is_nothing_to_test(tmp_path: Path) -> None:
    config = tmp_path / "artemis.toml"
    config.write_text(SETTINGS)

    with pytest.raises(OperatorError, match=r"has no \[break_glass\]"):
        run(config)
