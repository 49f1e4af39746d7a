"""Break-glass as a whole: a real agent as a process, a real mail server, and a hub that comes back."""

import asyncio
import json
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from artemis_agent.told import read as told_by
from socme import identity
from socme.identity import Identity, utc_now
from socme.spiffe import Role
from tests.artemis_agent.sources import eve
from tests.flow.programs import Program
from tests.zeus_hub.kit import Hub, Machine, eventually, hub
from tests.zeus_hub.receivers.post import PASSWORD, USER, Office, served, trust
from zeus_hub.alerts import Filters, find

pytestmark = pytest.mark.slow

SETTINGS = """
state_dir = "state"
vitals_interval_seconds = 1
hub_address = "{hub}"
[canary]
interval_seconds = 0
[[source]]
kind = "suricata"
path = "eve.json"
start = "beginning"
[break_glass]
after_minutes = 0.05
to = ["it@client.example"]
sender = "artemis@client.example"
host = "localhost"
port = {port}
user = "{user}"
password_file = "password"
ca_file = "ca.pem"
"""
ROUTES = """
[receiver.soc]
kind = "mail"
host = "localhost"
port = {port}
user = "{user}"
password_file = "{folder}/password"
ca_file = "{folder}/ca.pem"
sender = "zeus@soc.example"
to = ["soc@soc.example"]
[[route]]
name = "all"
match = 'severity >= high && event.module == "suricata"'
group_by = ["rule.id"]
group_wait = "0s"
receivers = ["soc"]
"""


def critical(rule: int) -> bytes:
    """Return an alert whose rule says that it is critical."""
    line = json.loads(eve(rule, severity=1))
    line["alert"]["metadata"] = {"signature_severity": ["Critical"]}
    return json.dumps(line).encode()


def enrol(folder: Path, zeus: Hub, machine: Machine) -> None:
    known = Identity(
        key=machine.key,
        chain=machine.chain,
        ca=machine.ca,
        role=Role.NODE.value,
        client="acme",
        name=machine.name,
        hub_address=zeus.address,
        expires=utc_now() + timedelta(days=1),
    )
    identity.save(folder / "state", known)


def write(folder: Path, *lines: bytes) -> None:
    with (folder / "eve.json").open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def stored(zeus: Hub) -> set[str]:
    return {each.alert.rule.id for each in find(zeus.engine, Filters())}


def about(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_the_client_is_mailed_once_by_the_node_and_not_by_the_hub(tmp_path: Path) -> None:
    """Over a mail server that fails at first, a kill of the agent, and the return of the hub."""
    office, place, zeus_dir = Office(answers={"DATA": "451 later"}), tmp_path / "node", tmp_path / "zeus"
    place.mkdir()
    (place / "password").write_text(PASSWORD)
    agent = Program("artemis", "run", "--config", str(place / "artemis.toml"), log=place / "log")
    async with served(office, starttls=trust(place).server) as port:
        zeus_dir.mkdir()
        (zeus_dir / "routes.d").mkdir()
        rules = zeus_dir / "routes.d" / "all.toml"
        rules.write_text(ROUTES.format(port=port, user=USER, folder=place))
        async with hub(zeus_dir) as zeus:
            enrol(place, zeus, await zeus.node())
        settings = place / "artemis.toml"
        settings.write_text(SETTINGS.format(hub="127.0.0.1:1", port=port, user=USER))
        write(place, critical(1001), eve(1002, severity=1))
        try:
            await asyncio.to_thread(agent.start)
            await asyncio.to_thread(agent.wait_for_log, "people cannot be told without a hub")
            agent.kill()
            office.answers.clear()
            await asyncio.to_thread(agent.start)
            await eventually(lambda: bool(told_by(place / "state").ids))
            agent.kill()
            async with hub(zeus_dir) as zeus:
                settings.write_text(SETTINGS.format(hub=zeus.address, port=port, user=USER))
                await asyncio.to_thread(agent.start)
                await eventually(lambda: len(office.mails) == 2)
                await eventually(lambda: {"1001", "1002", "socme.told_by_node"} <= stored(zeus))
                write(place, critical(1003))
                await eventually(lambda: len(office.mails) == 3)
                await asyncio.to_thread(agent.stop)
        finally:
            agent.end()

    own, *hubs = office.mails
    assert office.recipients == [["it@client.example"], ["soc@soc.example"], ["soc@soc.example"]]
    assert "rule 1001" in about(own)
    assert "rule 1002" in about(hubs[0])
    assert "rule 1003" in about(hubs[1])
    assert not any("rule 1001" in about(mail) for mail in hubs)
    assert "Traceback" not in agent.log()
