"""From stored alerts to letters: once each, over crashes, and as people go on with triage and silences."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.exc import OperationalError

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import StoredAlert, Verdict
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.noticed import FOREVER
from tests.zeus_hub.routes.turns import agreed
from tests.zeus_hub.stored import NOON, alert, database, keep
from zeus_hub import database as tables
from zeus_hub import groups, node_told, outbox, purge, router, schema, silences, triage
from zeus_hub.database import reading, writing
from zeus_hub.notice import Member, Notice
from zeus_hub.plan import Retention
from zeus_hub.receivers.contract import Receipt
from zeus_hub.router import Router, Step
from zeus_hub.routes.reading import load
from zeus_hub.routes.rules import Rules
from zeus_hub.routes.silence import Silence
from zeus_hub.silences import Wish
from zeus_hub.triage import Ref

pytestmark = pytest.mark.usefixtures("both")

RULES = """
[receiver.mail]
kind = "mail"
[receiver.hive]
kind = "thehive"

[[route]]
name = "brute force"
match = 'rule.id == "5763"'
group_by = ["source.ip"]
group_wait = "30s"
receivers = ["mail", "hive"]
"""
BEGUN = NOON + timedelta(days=1)
Said = tuple[str, int, int, int]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    folder = tmp_path / "routes.d"
    folder.mkdir()
    (folder / "rules.toml").write_text(RULES)
    return load(folder)


class Run:
    """A router that takes steps when a test says so."""

    def __init__(self, engine: Engine, rules: Rules) -> None:
        self.engine = engine
        self.router = Router(engine)
        self.router.heed(rules)
        self.at(0)

    def at(self, seconds: float) -> Step:
        """Take steps at a time until there is no more."""
        now = BEGUN + timedelta(seconds=seconds)
        step = self.router.step(now)
        while step.more:
            step = self.router.step(now)
        return step


def brute(numbers: range, *, place: str = "acme/acme-1", ip: str = "203.0.113.9") -> list[StoredAlert]:
    high = Severity.SEVERITY_HIGH
    return [
        alert(each, place=place, rule="5763", name="sshd: brute force", ips=(ip, "10.0.0.5"), severity=high)
        for each in numbers
    ]


def report(*numbers: int, place: str = "acme/acme-1") -> StoredAlert:
    """Return what the hub says of alerts that a node told people of."""
    client, node = place.split("/")
    made = StoredAlert(client=client, node=node)
    made.alert.CopyFrom(node_told.report(client, node, [each.to_bytes(16) for each in numbers], NOON))
    made.received.FromDatetime(NOON)
    return made


def letters(engine: Engine, receiver: str = "mail") -> list[Notice]:
    """Return what waits for a receiver, in order, and let it be told."""
    found = []
    with writing(engine) as connection:
        while letter := outbox.next_of(connection, receiver, FOREVER):
            found.append(letter.notice)
            outbox.told(connection, letter, Receipt(), BEGUN)
    return found


def said(notices: Sequence[Notice]) -> list[Said]:
    return [(each.reason, each.number, each.count, each.fresh) for each in notices]


def ref(number: int) -> Ref:
    return Ref("acme", "acme-1", number.to_bytes(16))


def fails(*_arguments: object) -> None:
    raise OperationalError("insert", {}, Exception("disk full"))


def test_a_flood_is_one_letter_for_each_receiver(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    keep(engine, brute(range(1200)))

    assert run.at(1).receivers == frozenset()
    assert run.at(31).receivers == {"mail", "hive"}
    [told] = letters(engine)
    assert letters(engine, "hive") == [told]
    assert (told.reason, told.count, told.fresh, told.client) == ("new", 1200, 1200, "acme")
    assert dict(told.labels)["source.ip"] == "203.0.113.9"
    assert run.at(3600).receivers == frozenset()


def test_what_was_there_before_there_were_rules_is_nobodys_news(engine: Engine, rules: Rules) -> None:
    keep(engine, brute(range(5)))
    run = Run(engine, rules)
    keep(engine, brute(range(5, 7)))
    run.at(60)
    run.at(120)

    assert said(letters(engine)) == [("new", 1, 2, 2)]


def test_two_clients_never_share_a_group(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    for place in ("acme/acme-1", "beta/beta-1"):
        keep(engine, brute(range(10), place=place))
    run.at(1)
    run.at(60)

    told = letters(engine)
    assert sorted(each.client for each in told) == ["acme", "beta"]
    assert said(told) == [("new", 1, 10, 10)] * 2
    assert len({each.group for each in told}) == 2


def test_alerts_that_no_route_takes_tell_nobody(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    keep(engine, [alert(1, rule="1002")])
    run.at(1)
    run.at(3600)

    assert letters(engine) == []


def test_more_that_comes_is_told_at_the_next_interval(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(0)
    run.at(30)
    keep(engine, brute(range(3, 8)))
    run.at(60)
    assert said(letters(engine)) == [("new", 1, 3, 3)]
    run.at(330)
    assert said(letters(engine)) == [("more", 2, 8, 5)]


def test_alerts_that_somebody_closed_in_time_are_told_to_nobody(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    keep(engine, brute(range(2)))
    run.at(0)
    refs = [ref(0), ref(1)]
    triage.close(engine, refs, Verdict.VERDICT_BENIGN, "a test", by="ada", now=BEGUN)
    run.at(31)
    run.at(3600)

    assert letters(engine) == []


def test_alerts_that_are_taken_late_come_as_people_left_them(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that was started with wrong rules has much to take: what was closed meanwhile is no news."""
    monkeypatch.setattr(router, "ALERTS_AT_ONCE", 1)
    run = Run(engine, rules)
    keep(engine, brute(range(4)))
    triage.acknowledge(engine, [ref(3)], by="ada", now=BEGUN)  # before the others, and about the last of them
    triage.close(engine, [ref(0)], Verdict.VERDICT_BENIGN, "a test", by="ada", now=BEGUN)
    triage.acknowledge(engine, [ref(1), ref(2)], by="ada", now=BEGUN)
    run.router.step(BEGUN)
    run.router.step(BEGUN)
    triage.close(engine, [ref(3)], Verdict.VERDICT_BENIGN, "a test", by="ada", now=BEGUN)
    run.at(2)
    run.at(31)
    assert said(letters(engine)) == [("new", 1, 4, 4)]
    run.at(40_000)
    assert letters(engine) == [], "somebody looks after what is open: no repeats"
    triage.close(engine, [ref(1), ref(2)], Verdict.VERDICT_BENIGN, "a test", by="ada", now=BEGUN)
    run.at(40_001)
    run.at(40_400)
    assert [each.reason for each in letters(engine)] == ["over"]


def test_what_was_closed_before_the_router_came_to_it_calls_nobody(engine: Engine, rules: Rules) -> None:
    """However urgent it is: that would be told at once."""
    run = Run(engine, rules)
    made = alert(1, rule="5763", severity=Severity.SEVERITY_CRITICAL)
    keep(engine, [made])
    triage.close(engine, [ref(1)], Verdict.VERDICT_BENIGN, "a test", by="ada", now=BEGUN)
    run.at(1)
    run.at(3600)

    assert letters(engine) == []


def test_an_alert_that_was_opened_again_before_it_was_told_is_told(engine: Engine, rules: Rules) -> None:
    """Though it was closed when the router came to it."""
    run = Run(engine, rules)
    keep(engine, brute(range(1)))
    triage.close(engine, [ref(0)], Verdict.VERDICT_BENIGN, "a test", by="ada", now=BEGUN)
    run.at(1)
    triage.reopen(engine, [ref(0)], by="ada", now=BEGUN)
    run.at(32)

    assert said(letters(engine)) == [("new", 1, 1, 1)]


def test_a_restart_at_any_moment_changes_nothing(engine: Engine, rules: Rules) -> None:
    """The groups, and what is due, are as they were."""
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    run = Run(engine, rules)
    run.at(31)
    run = Run(engine, rules)
    run.at(32)
    keep(engine, brute(range(3, 5)))
    run.at(33)
    run = Run(engine, rules)
    run.at(331)

    told = letters(engine)
    assert len({each.group for each in told}) == 1
    assert (told[-1].count, sum(each.fresh for each in told)) == (5, 5)


def test_a_step_that_fails_is_made_again(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the disk is full, at the worst moment: the letters are written, and nothing is kept."""
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    tell = Router._tell

    def tells_and_fails(*arguments: object) -> None:
        tell(*arguments)  # type: ignore[arg-type]
        fails()

    with monkeypatch.context() as patch:
        patch.setattr(router.Router, "_tell", tells_and_fails)
        with pytest.raises(OperationalError):
            run.at(31)
    assert letters(engine) == []
    run.at(32)
    assert said(letters(engine)) == [("new", 1, 3, 3)]
    run.at(33)
    assert letters(engine) == []


def test_a_silence_holds_back_what_is_there_and_what_comes(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    wish = Wish(
        client="acme", match='source.ip == "203.0.113.9"', until=BEGUN + timedelta(hours=1), why="a scan"
    )
    made = silences.add(engine, wish, who="ada", now=BEGUN)
    keep(engine, brute(range(3, 5)))
    run.at(60)
    run.at(900)
    assert letters(engine) == []
    silences.end(engine, made.number, who="ada", now=BEGUN + timedelta(seconds=1000))
    run.at(1001)
    run.at(1300)
    assert said(letters(engine)) == [("new", 1, 5, 5)]


def test_after_a_restart_a_silence_holds_back_no_more_than_before(engine: Engine, rules: Rules) -> None:
    """The latest alerts of the group are all silenced; the first, from before the silence, is not."""
    rules = replace(rules, routes=(replace(rules.routes[0], repeat_interval=600.0),))
    run = Run(engine, rules)
    keep(engine, brute(range(1)))
    run.at(1)
    wish = Wish(client="acme", match='rule.name == "scan"', until=BEGUN + timedelta(days=1), why="a scan")
    silences.add(engine, wish, who="ada", now=BEGUN)
    run.at(2)
    scan = brute(range(1, 31))
    for each in scan:
        each.alert.rule.name = "scan"
    keep(engine, scan)
    run.at(40)
    assert [each.reason for each in letters(engine)] == ["new"]

    Run(engine, rules).at(1000)
    assert [each.reason for each in letters(engine)] == ["repeat"]


def hush(engine: Engine, match: str = "") -> None:
    wish = Wish(client="acme", match=match, until=BEGUN + timedelta(days=1), why="a scan")
    silences.add(engine, wish, who="ada", now=BEGUN)


def spread(engine: Engine, addresses: range, *, place: str = "acme/acme-1") -> None:
    """Store alerts that are a group each."""
    for number in addresses:
        keep(engine, brute(range(number, number + 1), place=place, ip=f"203.0.113.{number}"))


class Reads:
    """Counts how often the alerts that a group remembers are read."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.clients: list[str] = []
        read = groups.remembered

        def counted(connection: Connection, client: str, members: Sequence[Member]) -> list[StoredAlert]:
            self.clients.append(client)
            return read(connection, client, members)

        patch.setattr(groups, "remembered", counted)


def test_groups_are_asked_once_for_all_new_silences_and_never_again(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after a restart, nor after a step that failed."""
    reads = Reads(monkeypatch)
    run = Run(engine, rules)
    spread(engine, range(3))
    spread(engine, range(2), place="beta/beta-1")
    run.at(1)
    hush(engine, 'source.ip == "203.0.113.1"')
    hush(engine, 'source.ip == "203.0.113.2"')
    run.at(2)
    assert reads.clients == ["acme"] * 3

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "put", fails)
        with pytest.raises(OperationalError):
            run.at(31)
    run.at(32)
    Run(engine, rules).at(33)
    assert len(reads.clients) == 3
    assert len(letters(engine)) == 3, "one of acme's three, and two of beta's"

    hush(engine)
    Run(engine, rules).at(34)
    assert len(reads.clients) == 6


def test_silences_are_read_when_they_change_and_not_in_each_step(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs a millisecond, and there are two steps a second."""
    reads, active = 0, silences.active

    def counted(connection: Connection, now: datetime) -> list[Silence]:
        nonlocal reads
        reads += 1
        return active(connection, now)

    monkeypatch.setattr(silences, "active", counted)
    run = Run(engine, rules)
    hush(engine)
    for seconds in range(5):
        run.at(seconds)
    assert reads == 1
    hush(engine, 'rule.id == "1"')
    run.at(6)
    run.at(7)
    assert reads == 2


def test_one_step_asks_some_groups_and_nobody_is_told_before_all_were_asked(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "GROUPS_AT_ONCE", 2)
    monkeypatch.setattr(router, "SILENCES_AT_ONCE", 2)
    run = Run(engine, rules)
    spread(engine, range(5))
    run.at(1)
    for number in range(3):
        hush(engine, f'source.ip == "203.0.113.{number}"')
    reads = Reads(monkeypatch)
    late = BEGUN + timedelta(seconds=31)

    steps = [run.router.step(late) for _ in range(6)]
    assert [(step.more, bool(step.receivers)) for step in steps] == [(True, False)] * 5 + [(False, True)]
    assert len(reads.clients) == 10  # five groups for two silences, and again for the third
    assert sorted(dict(each.labels)["source.ip"] for each in letters(engine)) == [
        "203.0.113.3",
        "203.0.113.4",
    ]


def test_a_crash_among_groups_that_are_asked_forgets_no_silence(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "GROUPS_AT_ONCE", 2)
    run = Run(engine, rules)
    spread(engine, range(5))
    run.at(1)
    hush(engine)
    run.router.step(BEGUN + timedelta(seconds=31))
    Run(engine, rules).at(32)

    assert letters(engine) == []


def test_a_step_that_fails_among_groups_that_are_asked_asks_them_again(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What those that were asked in it had come under was not kept."""
    monkeypatch.setattr(router, "GROUPS_AT_ONCE", 2)
    run = Run(engine, rules)
    spread(engine, range(5))
    run.at(1)
    hush(engine)
    with monkeypatch.context() as patch:
        patch.setattr(groups, "save", fails)
        with pytest.raises(OperationalError):
            run.router.step(BEGUN + timedelta(seconds=31))
    run.at(32)

    assert letters(engine) == []


def test_rules_that_change_take_effect_at_once(
    engine: Engine, rules: Rules, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    run.router.heed(Rules())
    run.at(31)
    run.at(3600)
    assert letters(engine) == [], "groups of a route that is gone end without a word to anybody"
    assert [record.__dict__["fields"] for record in caplog.records if "route is gone" in record.message] == [
        {"route": "brute force", "alerts": 3}
    ]
    run.router.heed(rules)
    keep(engine, brute(range(3, 4)))
    run.at(3601)
    run.at(3700)
    assert said(letters(engine)) == [("new", 1, 1, 1)]


def purged(engine: Engine) -> None:
    """Purge all that may go."""
    for _ in range(9):  # a day each time
        kept = purge.advance(engine, Retention(high=1), BEGUN + timedelta(days=9))
        purge.take_out(engine, purge.look(engine, kept, (0, 0)).spent)


def stored(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(tables.alert)).scalar_one()


def test_a_group_goes_on_without_the_alerts_that_are_purged(engine: Engine, rules: Rules) -> None:
    """It is told of as a whole and ends in the end; no silence is about what nobody can ask any more."""
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    run.at(31)
    assert said(letters(engine)) == [("new", 1, 3, 3)]
    triage.acknowledge(engine, [ref(0)], by="ada", now=NOON)
    run.at(32)
    purged(engine)
    assert stored(engine) == 1, "of what the router has taken, the last alone is left"

    silences.add(
        engine, Wish(client="acme", match="", until=BEGUN + timedelta(days=9), why="x"), who="ann", now=BEGUN
    )
    keep(engine, brute(range(3, 5)))
    purged(engine)
    assert stored(engine) == 2, "what it has not taken stays"
    again = Run(engine, rules)
    again.at(331)
    assert letters(engine) == [], "the silence is about what comes"
    again.at(5 * 3600)
    assert said(letters(engine)) == [("repeat", 2, 5, 2)]
    silences.end(engine, 1, who="ann", now=BEGUN + timedelta(hours=6))
    keep(engine, brute(range(5, 6)))
    again.at(6 * 3600)
    again.at(6 * 3600 + 300)
    assert said(letters(engine)) == [("more", 3, 6, 1)]
    purged(engine)
    again.at(2 * 86_400)
    assert living(engine) == 0


def living(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(schema.living_group)).scalar_one()


def test_without_rules_nothing_is_written(engine: Engine) -> None:
    run = Run(engine, Rules())
    keep(engine, brute(range(3)))
    run.at(10)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM router").scalar_one() == 0


@sqlite_alone
def test_a_step_in_which_nothing_happens_writes_nothing(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    version = "PRAGMA data_version"  # changes where another connection has written
    with closing(sqlite3.connect(str(engine.url.database))) as watching:
        before = watching.execute(version).fetchone()
        run.at(2)
        assert watching.execute(version).fetchone() == before
        run.at(31)
        assert watching.execute(version).fetchone() != before


def test_what_is_damaged_in_the_database_stops_nobody(engine: Engine, rules: Rules) -> None:
    """A group, where an alert went, and an alert itself."""
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    keep(engine, brute(range(3, 5), ip="198.51.100.7"))
    with writing(engine) as connection:
        for table in (schema.living_group, schema.routed):
            connection.execute(update(table).values(content=b"\0"))
        table = tables.alert
        connection.execute(update(table).where(table.c.number == 4).values(body=b"\0"))
    triage.acknowledge(engine, [ref(0)], by="ada", now=BEGUN)
    run = Run(engine, rules)
    run.at(2)
    run.at(60)
    assert said(letters(engine)) == [("new", 1, 1, 1)]


def test_who_is_on_call_when_it_is_told_gets_the_letter(engine: Engine, tmp_path: Path) -> None:
    """NOON is on Wednesday, BEGUN on Thursday, when another one stands in."""
    run = Run(engine, load(agreed(tmp_path / "rota")))
    keep(engine, brute(range(3)))
    run.at(1)

    assert run.at(31).receivers == {"mail"}
    assert run.at(31 + 600).receivers == {"grace"}
    keep(engine, brute(range(3, 5)))
    run.at(660)
    assert run.at(86_400).receivers == {"mail", "ada"}
    assert said(letters(engine, "grace")) == [("repeat", 2, 3, 0)]
    assert said(letters(engine, "ada")) == [("more", 3, 5, 2)]
    assert letters(engine, "on-call") == []


def test_a_receiver_that_is_named_and_on_call_is_told_once(engine: Engine, tmp_path: Path) -> None:
    folder = agreed(tmp_path / "rota")
    text = (folder / "rules.toml").read_text()
    (folder / "rules.toml").write_text(
        text.replace('receivers = ["mail"]', 'receivers = ["on-call", "grace"]')
    )
    run = Run(engine, load(folder))
    keep(engine, brute(range(3)))
    run.at(1)

    assert run.at(31).receivers == {"grace"}
    assert len(letters(engine, "grace")) == 1


def test_a_clock_that_is_damaged_is_begun_anew_and_told_once(
    engine: Engine, rules: Rules, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(engine, rules)
    keep(engine, brute(range(3)))
    run.at(1)
    with writing(engine) as connection:
        connection.execute(update(schema.router).values(clock=b"\0"))
    run = Run(engine, rules)
    run.at(2)
    run.at(31)

    assert said(letters(engine)) == [("new", 1, 3, 3)]
    assert caplog.text.count("what is kept of groups cannot be read") == 1


def test_what_the_node_told_people_itself_is_not_told_to_them_again(engine: Engine, rules: Rules) -> None:
    """TheHive gets it; and the next alert that nobody was told of brings the mail, which counts all."""
    run = Run(engine, rules)
    keep(engine, [report(1, 2, 3), *brute(range(1, 4))])
    run.at(1)

    assert run.at(31).receivers == {"hive"}
    assert said(letters(engine, "hive")) == [("new", 1, 3, 3)]
    with reading(engine) as connection:
        assert groups.is_told_by_node(connection, brute(range(1, 2))[0])
        assert not groups.is_told_by_node(connection, brute(range(1, 2), place="beta/beta-1")[0])
    run.at(40_000)
    assert letters(engine) == []
    keep(engine, brute(range(4, 5)))
    run.at(40_001)
    assert run.at(41_000).receivers == {"mail", "hive"}
    assert [(each.count, each.group) for each in letters(engine)] == [(4, letters(engine, "hive")[-1].group)]


def test_what_a_node_told_is_remembered_over_a_restart_until_the_alerts_come(
    engine: Engine, rules: Rules
) -> None:
    """As it is where the hub ends between the report and the alerts."""
    run = Run(engine, rules)
    keep(engine, [report(1)])
    run.at(1)
    run = Run(engine, rules)
    keep(engine, brute(range(1, 2)))
    run.at(2)
    run.at(60)

    assert letters(engine) == []
    assert said(letters(engine, "hive")) == [("new", 1, 1, 1)]


def test_a_node_says_nothing_of_another_nodes_alerts(engine: Engine, rules: Rules) -> None:
    run = Run(engine, rules)
    keep(engine, [report(1, place="beta/beta-1"), *brute(range(1, 2))])
    run.at(1)
    run.at(31)

    assert said(letters(engine)) == [("new", 1, 1, 1)]


def test_a_report_by_itself_tells_no_person_whatever_routes_say(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "all.d"
    folder.mkdir()
    (folder / "all.toml").write_text(
        '[receiver.mail]\nkind = "mail"\n[receiver.hive]\nkind = "thehive"\n'
        '[[route]]\nname = "all"\nreceivers = ["mail", "hive"]\n'
    )
    run = Run(engine, load(folder))
    keep(engine, [report(1, 2)])
    run.at(1)
    run.at(400)

    assert letters(engine) == []
    [told] = letters(engine, "hive")
    assert told.titles[0].text == "The node told the client itself"
