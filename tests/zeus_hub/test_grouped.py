"""All of a group that people were told of is taken on at once, and then nobody is told of it again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, update

from socme.errors import OperatorError
from socme.triage import ACKNOWLEDGED, CLOSED
from socme.v1.watch_pb2 import Verdict
from tests.zeus_hub.stored import alert, database, keep
from tests.zeus_hub.test_router import BEGUN, Run, brute, letters, ref
from zeus_hub import grouped, schema, triage
from zeus_hub.database import reading, writing
from zeus_hub.routes.reading import load
from zeus_hub.routes.rules import Escalation, Rules

pytestmark = pytest.mark.usefixtures("both")

RULES = """
[receiver.mail]
kind = "mail"
[receiver.boss]
kind = "mail"

[[route]]
name = "brute force"
match = 'rule.id == "5763"'
group_by = ["source.ip"]
group_wait = "30s"
repeat_interval = "1h"
receivers = ["mail"]
"""
LATER = 1800  # seconds, when the boss is told


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
    read = load(folder)
    return replace(read, routes=(replace(read.routes[0], escalate=(Escalation(LATER, ("boss",)),)),))


def told(engine: Engine, rules: Rules, count: int = 5) -> tuple[Run, str]:
    """Return a router that told of a group, and the group."""
    run = Run(engine, rules)
    keep(engine, brute(range(count)))
    run.at(1)
    run.at(31)
    [first] = letters(engine)
    return run, first.group


def standing(engine: Engine) -> dict[int, int]:
    """Return the status of the alerts that somebody touched, by number."""
    table = schema.triage
    with reading(engine) as connection:
        return {row.alert_number: row.status for row in connection.execute(select(table))}


def take_on(engine: Engine, digits: str) -> triage.Outcome:
    return triage.acknowledge(engine, grouped.named(engine, digits), by="ada", now=BEGUN)


def test_the_newest_alert_alone_does_not_end_it(engine: Engine, rules: Rules) -> None:
    run, _ = told(engine, rules)
    triage.acknowledge(engine, [ref(4)], by="ada", now=BEGUN)
    run.at(40)
    run.at(4000)

    assert [each.reason for each in letters(engine)] == ["repeat"]


def test_a_group_that_somebody_took_on_repeats_no_more_and_does_not_escalate(
    engine: Engine, rules: Rules
) -> None:
    run, group = told(engine, rules)

    assert take_on(engine, group[:8]) == triage.Outcome(5, 5)
    for seconds in (40, LATER + 60, 4000, 8000, 20_000):
        run.at(seconds)
    assert letters(engine) == letters(engine, "boss") == []


def test_nobody_takes_it_on_and_it_repeats_and_escalates(engine: Engine, rules: Rules) -> None:
    run, _ = told(engine, rules)
    for seconds in (40, LATER + 60, 4000):
        run.at(seconds)

    assert [each.reason for each in letters(engine)] == ["repeat"]
    assert letters(engine, "boss")


def test_only_what_is_open_and_in_the_group_is_meant(engine: Engine, rules: Rules) -> None:
    run, group = told(engine, rules)
    keep(engine, [*brute(range(10, 12), ip="198.51.100.7"), alert(20)])
    keep(engine, brute(range(12, 14), place="beta/beta-1"))
    run.at(60)
    triage.close(engine, [ref(0)], Verdict.VERDICT_BENIGN, "a test", by="bob", now=BEGUN)
    chosen = grouped.named(engine, group)
    closed = triage.close(engine, chosen, Verdict.VERDICT_DUPLICATE, "all one", by="ada", now=BEGUN)

    assert closed == triage.Outcome(4, 4)
    assert standing(engine) == dict.fromkeys(range(1, 6), CLOSED)
    assert triage.history(engine, ref(0))[-1].actor == "bob", "what was found out stays"


def test_a_group_of_more_than_one_portion(
    engine: Engine, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped, "LOOKED_AT", 700)
    _, group = told(engine, rules, 1400)

    assert take_on(engine, group) == triage.Outcome(1400, 1400)
    assert take_on(engine, group) == triage.Outcome(1400, 0)
    assert set(standing(engine).values()) == {ACKNOWLEDGED}


def test_a_group_that_has_ended_is_still_taken_on(engine: Engine, rules: Rules) -> None:
    """As it is when somebody reads the mail of the night in the morning."""
    _, group = told(engine, rules)
    with writing(engine) as connection:
        connection.execute(delete(schema.living_group))

    assert take_on(engine, group[:6]) == triage.Outcome(5, 5)


def test_what_is_damaged_is_passed_over(engine: Engine, rules: Rules) -> None:
    _, group = told(engine, rules)
    with writing(engine) as connection:
        connection.execute(update(schema.living_group).values(content=b"\0"))
        first = schema.routed.c.alert_number == 1
        connection.execute(update(schema.routed).where(first).values(content=b"\0"))
    assert take_on(engine, group) == triage.Outcome(4, 4)

    with writing(engine) as connection:
        connection.execute(update(schema.outbox).values(notice=b"\xff"))
    with pytest.raises(OperatorError, match="there is no group"):
        grouped.named(engine, group)


def test_a_group_that_is_not_there_or_is_not_the_only_one_is_told(engine: Engine, rules: Rules) -> None:
    _, group = told(engine, rules)
    other = "0" if group[0] != "0" else "1"
    with pytest.raises(OperatorError, match=f"no group {other}"):
        grouped.named(engine, other * 6)
    twin = group[:-1] + ("0" if group[-1] != "0" else "1")
    with writing(engine) as connection:
        [content] = connection.execute(select(schema.living_group.c.content)).scalars()
        connection.execute(schema.living_group.insert().values(id=twin, content=content))
    with pytest.raises(OperatorError, match="several groups"):
        grouped.named(engine, group[:6])
    assert grouped.named(engine, group).id == group


def test_the_audit_log_says_which_group(engine: Engine, rules: Rules) -> None:
    _, group = told(engine, rules)
    take_on(engine, group)
    with reading(engine) as connection:
        rows = connection.execute(select(schema.audit).order_by(schema.audit.c.number.desc())).all()

    assert rows[0].action == "alert acknowledge"
    assert rows[0].subject == f"acme group {group}"
    assert rows[0].actor == "ada"
