"""From a node's alerts to TheHive and people's mail, through a real hub, and what happens as rules change."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from socme.identity import utc_now
from socme.v1.alert_pb2 import Alert, Rule, Severity
from tests.zeus_hub import engines
from tests.zeus_hub.kit import Hub, alert, eventually, give, hub, limits, linked
from tests.zeus_hub.noticed import NOON, notice
from tests.zeus_hub.receivers.post import Office, Trust, served, trust
from tests.zeus_hub.receivers.thehive.hive import KEY, Desk, Hive
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server, serving
from tests.zeus_hub.routes.turns import CALENDAR
from tests.zeus_hub.stored import database
from tests.zeus_hub.test_outcomes import CLOSED
from tests.zeus_hub.watched import stored_conditions
from zeus_hub import (
    aftermath,
    fanout,
    inquirer,
    letters,
    outbox,
    outcomes,
    postman,
    registry,
    reports,
    schema,
    triage,
)
from zeus_hub.clocks import Clocks
from zeus_hub.database import reading, writing
from zeus_hub.hub import REAL
from zeus_hub.letters import State
from zeus_hub.triage import Ref

REPORT = """
[[report]]
name = "every day"
kind = "day"
clients = ["acme"]
at = "00:00"
zone = "UTC"
receivers = ["soc"]
"""

RULES = """
[receiver.soc]
kind = "mail"
host = "localhost"
port = {port}
sender = "zeus@soc.example"
to = ["soc@example.org"]
ca_file = "ca.pem"

[receiver.hive]
kind = "thehive"
url = "{url}"
key_file = "key"
organisations = {{ acme = "acme", beta = "globex" }}

[[route]]
name = "brute force"
match = 'rule.id == "5763"'
group_by = ["source.ip"]
group_wait = "{wait}"
group_interval = "{interval}"
receivers = ["soc", "hive"]
"""


IMPATIENT = limits(sink_stuck_seconds=0.5)
_MAIL = RULES.split("[receiver.hive]", maxsplit=1)[0]
ON_CALL = (
    _MAIL
    + _MAIL.replace("receiver.soc", "receiver.ada").replace("soc@example.org", "ada@example.org")
    + """
[rota.on-call]
calendar = "rota.ics"
zone = "UTC"
people = {{ "Ada Lovelace" = "ada" }}
otherwise = "soc"

[[route]]
name = "all"
group_by = ["source.ip"]
group_wait = "1s"
group_interval = "2s"
receivers = ["on-call"]
"""
)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(fanout, "STEP_SECONDS", 0.05)
    monkeypatch.setattr(fanout, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(fanout, "REPORT_SECONDS", 0.05)
    monkeypatch.setattr(postman, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(postman, "LONGEST_PAUSE", 0.2)


class World:
    """A hub's folder, a mail server and a TheHive."""

    def __init__(self, folder: Path, tls: Trust, port: int, hive: Server, office: Office) -> None:
        self.state_dir, self.hive, self.office = folder / "hub", hive, office
        self._port, self._ca = port, tls.ca_file

    def rules(self, text: str = RULES, *, wait: str = "1s", interval: str = "2s") -> None:
        """Write the rules."""
        folder = self.state_dir / "routes.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.pem").write_bytes(self._ca.read_bytes())
        (folder / "key").write_text(KEY + "\n")
        said = text.format(port=self._port, url=self.hive.url, wait=wait, interval=interval)
        (folder / "new").write_text(said)
        (folder / "new").rename(folder / "rules.toml")

    @property
    def alerts(self) -> list[dict[str, object]]:
        """What TheHive has."""
        return list(self.hive.hive.alerts.values())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    office, tls = Office(), trust(tmp_path)
    async with served(office, starttls=tls.server) as port, serving(Hive()) as hive:
        yield World(tmp_path, tls, port, hive, office)


@asynccontextmanager
async def running(world: World, clocks: Clocks = REAL) -> AsyncIterator[Hub]:
    """Run the hub; it has begun to go by rules."""
    async with hub(world.state_dir, clocks=clocks) as zeus:
        await eventually(lambda: _began(zeus))
        yield zeus


def brute(numbers: range) -> list[Alert]:
    rule = Rule(id="5763", name="sshd: brute force")
    made = []
    for number in numbers:
        one = alert(number, Severity.SEVERITY_HIGH)
        one.rule.CopyFrom(rule)
        one.source_endpoint.ip, one.destination_endpoint.ip = "203.0.113.9", "10.0.0.5"
        one.threat.technique_ids.append("T1110.001")
        made.append(one)
    return made


def waiting(zeus: Hub, receiver: str) -> int:
    with reading(zeus.engine) as connection:
        return sum(each.waiting for each in outbox.standings(connection) if each.receiver == receiver)


def said(world: World, text: str) -> Callable[[], bool]:
    return lambda: any(text in each["Subject"] for each in world.office.mails)


@pytest.mark.slow
async def test_ten_thousand_alerts_of_one_source_are_one_alert_in_thehive_and_one_mail(world: World) -> None:
    """And a flood of another client that looks the same is told by itself."""
    world.rules(wait="10m", interval="1h")
    ahead = timedelta(0)
    async with running(world, Clocks(lambda: utc_now() + ahead)) as zeus:
        for client in ("acme", "beta"):
            async with linked(zeus.address, await zeus.node(client, f"{client}-1")) as link:
                for sequence in range(1, 21):
                    await link.batch(sequence, brute(range(500 * sequence, 500 * sequence + 500)))
                await link.until_acked(20)
        await eventually(lambda: _count(zeus, "routed") == 20_000)
        assert not world.alerts
        ahead = timedelta(minutes=10)
        await eventually(lambda: len(world.alerts) == 2 and len(world.office.mails) == 2)

    assert [each["type"] for each in world.alerts] == ["socme", "socme"]
    for each in world.alerts:
        assert "10,000" in str(each["description"]) or "10000" in str(each["description"])
    assert all(world.office.encrypted)
    mails = [mail.get_body(("plain",)) for mail in world.office.mails]
    assert all(mail is not None and "10,000" in mail.get_content() for mail in mails)


async def test_what_comes_later_updates_the_alert_and_is_a_mail_of_the_same_thread(world: World) -> None:
    world.rules()
    async with running(world) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(1, brute(range(3)))
            await eventually(lambda: len(world.alerts) == 1 and len(world.office.mails) == 1)
            await link.batch(2, brute(range(3, 8)))
            await eventually(lambda: len(world.office.mails) == 2 and not waiting(zeus, "hive"))

    assert len(world.alerts) == 1
    first, second = world.office.mails
    assert second["References"] == first["Message-ID"]


async def test_thehive_that_is_down_delays_no_mail_and_is_caught_up(world: World) -> None:
    """The connection is cut after the first request was done, too: no second alert comes of it."""
    world.hive.faults += [
        Fault("cut", on="POST /api/v1/alert"),
        Fault("answer", on="", times=6, after=1),
    ]
    world.rules()
    async with running(world) as zeus:
        await give(zeus, await zeus.node(), brute(range(4)))
        await eventually(lambda: len(world.office.mails) == 1)
        await eventually(lambda: len(world.alerts) == 1 and not waiting(zeus, "hive"))

    assert len(world.alerts) == 1


async def test_rules_that_are_wrong_change_nothing_and_are_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.rules()
    async with running(world) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(1, brute(range(3)))
            await eventually(lambda: len(world.office.mails) == 1)
            world.rules(RULES.replace('rule.id == "5763"', "rule.id == 5763"))
            await eventually(lambda: "the rules are refused" in caplog.text)
            await link.batch(2, brute(range(3, 8)))
            await eventually(lambda: len(world.office.mails) == 2)
            world.rules(RULES.replace("soc@example.org", "other@example.org"))
            await link.batch(3, brute(range(8, 9)))
            await eventually(lambda: ["other@example.org"] in world.office.recipients)


def stuck(zeus: Hub) -> dict[str, str]:
    """Return what the hub said of sinks that take nothing, by their names."""
    found = [one.alert for one in stored_conditions(zeus) if one.alert.condition.kind == "sink_stuck"]
    return {one.condition.subject: one.message for one in found}


async def test_rules_that_are_taken_away_are_a_condition_of_the_hub(world: World) -> None:
    world.rules()
    async with hub(world.state_dir, conditions=IMPATIENT) as zeus:
        await eventually(lambda: _began(zeus))
        (world.state_dir / "routes.d" / "rules.toml").unlink()
        await eventually(lambda: "routes" in stuck(zeus))
        assert "routes.d has no rules any more" in stuck(zeus)["routes"]
        await give(zeus, await zeus.node(), brute(range(3)))
        await eventually(lambda: len(world.office.mails) == 1 and len(world.alerts) == 1)
        assert set(stuck(zeus)) == {"routes"}


async def test_an_organisation_that_takes_nothing_is_a_condition_of_its_own(world: World) -> None:
    """Whoever is told of it knows whose alerts wait, and that all others are on their way."""
    world.rules(RULES.replace("globex", "absent"))
    async with hub(world.state_dir, conditions=IMPATIENT) as zeus:
        await eventually(lambda: _began(zeus))
        for client in ("beta", "acme"):
            await give(zeus, await zeus.node(client, f"{client}-1"), brute(range(3)))
        await eventually(lambda: len(world.alerts) == 1 and waiting(zeus, "hive") == 1)
        await eventually(lambda: len(stuck(zeus)) > 0)
        await asyncio.sleep(3 * IMPATIENT.sink_stuck_seconds)
        assert set(stuck(zeus)) == {"hive (organisation absent)"}
    assert "make it a member there" in stuck(zeus)["hive (organisation absent)"]


async def test_while_the_first_rules_are_wrong_alerts_wait_for_right_ones(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that came since the router began is lost to a slip of the pen."""
    world.rules()
    async with running(world):
        pass
    world.rules(RULES.replace("group_by", "grup_by"))
    async with running(world) as zeus:
        await eventually(lambda: "grup_by" in caplog.text or "the rules are refused" in caplog.text)
        await give(zeus, await zeus.node(), brute(range(3)))
        await asyncio.sleep(0.3)  # it is not told: there is no moment at which that could be seen
        assert not world.office.mails
        world.rules()
        await eventually(lambda: len(world.office.mails) == 1)


async def test_a_hub_that_was_stopped_tells_what_was_due_and_nothing_twice(world: World) -> None:
    world.rules(wait="10m", interval="1h")
    async with running(world) as zeus:
        await give(zeus, await zeus.node(), brute(range(3)))
        await eventually(lambda: _count(zeus, "living_group") == 1)
    assert not world.office.mails
    later = Clocks(lambda: utc_now() + timedelta(minutes=10))
    async with running(world, later) as zeus:
        await eventually(lambda: len(world.office.mails) == 1 and len(world.alerts) == 1)
        await eventually(lambda: not waiting(zeus, "hive") and not waiting(zeus, "soc"))
    async with running(world, later) as zeus:
        await eventually(lambda: _count(zeus, "living_group") == 1)
    assert (len(world.office.mails), len(world.alerts)) == (1, 1)


def known(world: World, *, days: int = 3) -> None:
    """Let the hub have known acme for days."""
    world.state_dir.mkdir()
    engine = engines.opened(world.state_dir)
    registry.add_client(engine, "acme", title="Acme Ltd", now=utc_now() - timedelta(days=days))
    engine.dispose()


def reports_of(zeus: Hub, state: letters.State) -> int:
    with reading(zeus.engine) as connection:
        table = schema.report
        query = select(func.count()).select_from(table).where(table.c.state == state)
        return int(connection.execute(query).scalar_one())


async def test_a_report_that_is_due_is_mailed_once_over_restarts(world: World) -> None:
    known(world)
    async with hub(world.state_dir) as zeus:
        await zeus.node()
    world.rules(RULES + REPORT)
    for _ in range(2):
        async with running(world) as zeus:
            await eventually(lambda: reports_of(zeus, letters.State.TOLD) == 1)
            assert len(world.office.mails) == 1
    [mail] = world.office.mails

    assert mail["Subject"].startswith("[SOCme] Acme Ltd, 20")
    assert "0 alerts, watched 0.0%" in mail["Subject"], "nothing is known of that day, so nobody watched"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "acme-1: not known" in body.get_content()


async def test_a_mail_server_that_is_down_delays_a_report_and_one_that_refuses_has_it_set_aside(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    known(world)
    world.office.answers["DATA"] = "451 come again"
    world.rules(RULES + REPORT)
    async with running(world) as zeus:
        await eventually(lambda: "receiver is down" in caplog.text)
        assert reports_of(zeus, letters.State.WAITING) == 1
        world.office.answers["DATA"] = "554 no"
        await eventually(lambda: reports_of(zeus, letters.State.REFUSED) == 1)
        await eventually(lambda: "refused for good, set aside" in caplog.text)
        world.office.answers.clear()
        with writing(zeus.engine) as connection:
            reports.again(connection, "soc", utc_now())
        await eventually(lambda: len(world.office.mails) == 1)


async def test_a_report_that_is_not_taken_holds_up_no_alert(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Who waits for a person to mend the sender waits with the report alone."""
    known(world)
    world.office.answers["MAIL"] = "550 who are you"
    world.rules(RULES + REPORT)
    async with running(world) as zeus:
        await eventually(lambda: "receiver is down" in caplog.text)
        world.office.answers.clear()
        await give(zeus, await zeus.node(), brute(range(3)))
        await eventually(said(world, "sshd: brute force"))
        assert reports_of(zeus, letters.State.WAITING) == 1


async def test_words_that_cannot_be_made_refuse_the_rules_with_the_place(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    known(world)
    site = world.state_dir / "routes.d" / "words" / "en"
    site.mkdir(parents=True)
    (site / "day.txt").write_text("{{ reprt }}")
    world.rules(RULES.replace('ca_file = "ca.pem"', 'ca_file = "ca.pem"\ntemplates = "words"') + REPORT)
    async with hub(world.state_dir):
        await eventually(lambda: "the rules are refused" in caplog.text)
    [reason] = {record.fields["reason"] for record in caplog.records if hasattr(record, "fields")} or {""}
    assert "report every day" in reason


async def test_who_is_on_call_is_told_as_the_calendar_says_and_a_broken_one_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    folder = world.state_dir / "routes.d"
    folder.mkdir(parents=True)
    calendar = CALENDAR.replace("RRULE:FREQ=WEEKLY;INTERVAL=2\n", "RRULE:FREQ=DAILY\n")
    (folder / "rota.ics").write_text(calendar)
    world.rules(ON_CALL)
    async with running(world) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(1, brute(range(3)))
            await eventually(lambda: world.office.recipients == [["ada@example.org"]])
            (folder / "rota.ics").write_text("BEGIN:VCALENDAR")
            await eventually(lambda: "the rules are refused" in caplog.text)
            await link.batch(2, brute(range(3, 5)))
            await eventually(lambda: world.office.recipients == [["ada@example.org"]] * 2)
            (folder / "rota.ics").write_text(calendar.replace("SUMMARY:Ada", "SUMMARY:Eve"))
            await eventually(lambda: _named_others(caplog))
            await link.batch(3, brute(range(5, 7)))
            await eventually(lambda: world.office.recipients[2:] == [["soc@example.org"]])


def _named_others(caplog: pytest.LogCaptureFixture) -> bool:
    return any(record.getMessage() == "odd rules" for record in caplog.records)


def _count(zeus: Hub, table: str) -> int:
    with reading(zeus.engine) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def _began(zeus: Hub) -> bool:
    return _count(zeus, "router") > 0


async def test_a_case_that_is_closed_in_thehive_is_shown_beside_the_alert_over_stops_and_cuts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, whoever is away meanwhile; and at the hub nobody has closed anything."""
    monkeypatch.setattr(inquirer, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(inquirer, "LONGEST_PAUSE", 0.1)
    world.hive.hive.now = round(utc_now().timestamp() * 1000)
    desk = Desk(world.hive.hive, "acme")
    world.rules(interval="1h")
    async with running(world) as zeus:
        await give(zeus, await zeus.node(), brute(range(3)))
        await eventually(lambda: len(world.alerts) == 1 and not waiting(zeus, "hive"))
        ref = Ref("acme", "acme-1", zeus.stored()[0])
        desk.promote(world.alerts[0], {})
        await eventually(lambda: stages(zeus, ref) == ["Imported"])
    case = desk.find("case", str(world.alerts[0]["caseId"]))
    async with running(world) as zeus:
        world.hive.faults.append(Fault("cut", times=10))
        desk.update_case(case, {"status": "TruePositive", "summary": "Blocked."})
        await eventually(lambda: stages(zeus, ref) == ["Closed"])
        told = aftermath.of(zeus.engine, ref)
        stood = triage.history(zeus.engine, ref)

    [mail, hive] = sorted(told, key=lambda each: each.outcome is not None)
    assert (mail.receiver, mail.state, mail.outcome) == ("soc", State.TOLD, None)
    assert (hive.receiver, hive.reference, hive.state) == ("hive", world.alerts[0]["_id"], State.TOLD)
    assert hive.outcome is not None
    assert (hive.outcome.number, hive.outcome.status, hive.outcome.summary) == (1, "TruePositive", "Blocked.")
    assert stood == []


async def test_a_key_that_was_mended_is_taken_with_the_rules_also_by_who_only_asks(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody was to be told of anything meanwhile, so that nobody but them has met the wrong one."""
    world.rules()
    (world.state_dir / "routes.d" / "key").write_text("x" * 32)
    async with running(world):
        await eventually(lambda: "receiver cannot be asked" in caplog.text)
        world.rules(interval="3s")
        world.rules()
        await eventually(
            lambda: any(f"Bearer {KEY}" == each.headers.get("authorization") for each in world.hive.requests)
        )


async def test_what_nobody_has_changed_elsewhere_for_long_is_forgotten(world: World) -> None:
    engine = database(world.state_dir)
    long_ago = replace(CLOSED, at=utc_now() - 2 * outcomes.KEPT)
    with writing(engine) as connection:
        outbox.put(connection, "hive", notice(long_ago.group), NOON)
        outcomes.keep(connection, "hive", "acme", [long_ago], lambda client: client == "acme")
    world.rules()
    async with running(world) as zeus:
        await eventually(lambda: not _kept(zeus, long_ago.group))


def _kept(zeus: Hub, group: str) -> bool:
    with reading(zeus.engine) as connection:
        return bool(outcomes.of_groups(connection, [group]))


def stages(zeus: Hub, ref: Ref) -> list[str]:
    """Return where an alert stands elsewhere."""
    return [each.outcome.stage for each in aftermath.of(zeus.engine, ref) if each.outcome]
