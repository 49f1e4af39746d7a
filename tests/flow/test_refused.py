"""A real node whose batch a real hub refuses, both in this process: only the alert that is at fault stays."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from artemis_agent import agent, dead_letter
from artemis_agent.config import plan
from artemis_agent.peek import peek
from socme import identity
from socme.identity import Identity, utc_now
from socme.service import Notifier
from socme.spiffe import Role
from tests.artemis_agent.sources import eve
from tests.zeus_hub.kit import Hub, eventually, hub
from zeus_hub import envelope, ledger
from zeus_hub.accounts import Account
from zeus_hub.alerts import Filters, find

pytestmark = pytest.mark.slow

LARGEST = 64 * 1024  # bytes of a batch that this hub takes: a node never sends too much for a real one
GOOD = 40
BAD = eve(GOOD // 2)[:-1] + b',"payload":"' + b"x" * LARGEST + b'"}'


@asynccontextmanager
async def running(folder: Path, zeus: Hub, *lines: bytes) -> AsyncIterator[Path]:
    """Run an agent that is enrolled at a hub and finds these lines; give its state folder."""
    machine = await zeus.node()
    (folder / "eve.json").write_bytes(b"".join(line + b"\n" for line in lines))
    config = folder / "artemis.toml"
    config.write_text(
        'state_dir = "state"\nvitals_interval_seconds = 1\n[canary]\ninterval_seconds = 0\n'
        '[[source]]\nkind = "suricata"\npath = "eve.json"\nstart = "beginning"\n'
    )
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
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(agent.run(plan(config), Notifier()))
        yield folder / "state"
        task.cancel()


def stored(zeus: Hub) -> list[bytes]:
    """Return the original lines of all that is stored, but for what the hub says itself."""
    found = [each.alert for each in find(zeus.engine, Filters())]
    return [alert.raw for alert in found if not alert.rule.id.startswith("socme.")]


def refusals(caplog: pytest.LogCaptureFixture) -> int:
    """Return how often the hub refused a batch."""
    return sum("batch refused" in message for message in caplog.messages)


def is_settled(zeus: Hub, state_dir: Path, *, read: int) -> bool:
    """Tell whether nothing waits any more of so many lines, and the hub has the node's last word on them."""
    waiting = peek(state_dir)
    told = [hour.told for hour in ledger.hours(zeus.engine)]
    return (
        sum(hour.read for hour in told) == read
        and not any(hour.pending for hour in told)
        and waiting is not None
        and not waiting.depth.entries
        and all(balance.waiting == 0 for balance in ledger.balances(zeus.engine, zeus.journal))
    )


async def test_only_the_alert_that_is_at_fault_stays_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its batch is parted, it is kept for a person, and both sides count it; the rest is there once."""
    monkeypatch.setattr(envelope, "LARGEST_BATCH", LARGEST)
    good = [eve(rule) for rule in range(GOOD)]
    lines = [*good[: GOOD // 2], BAD, *good[GOOD // 2 :]]
    async with hub(tmp_path / "hub") as zeus, running(tmp_path, zeus, *lines) as state_dir:
        await eventually(lambda: is_settled(zeus, state_dir, read=len(lines)))

        (balance,) = ledger.balances(zeus.engine, zeus.journal)
        assert Counter(stored(zeus)) == Counter(good)
        assert balance.account == Account(taken=GOOD, own=balance.account.own, given_up={"refused": 1})
        assert (balance.repeated, balance.unaccounted) == (0, 0)
        assert ledger.failing(zeus.engine) == {}
        assert refusals(caplog) == 2, "the batch, and what is at fault in it"
    (letter,) = map(json.loads, (state_dir / dead_letter.NAME).read_text().splitlines())
    assert (letter["size"], letter["source"]) == (len(BAD), str(tmp_path / "eve.json"))
    assert letter["head"] == BAD[: len(letter["head"])].decode()
    assert "too large" in letter["reason"]
    left = peek(state_dir)
    assert left is not None
    assert (left.acknowledged, left.dropped) == (GOOD, {"refused": 1})


async def test_a_batch_of_which_no_alert_is_at_fault_is_only_parted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """There are too many in it for this hub."""
    monkeypatch.setattr(envelope, "MOST_ALERTS", GOOD - 1)
    good = [eve(rule) for rule in range(GOOD)]
    async with hub(tmp_path / "hub") as zeus, running(tmp_path, zeus, *good) as state_dir:
        await eventually(lambda: is_settled(zeus, state_dir, read=GOOD))

        (balance,) = ledger.balances(zeus.engine, zeus.journal)
        assert Counter(stored(zeus)) == Counter(good)
        assert balance.account == Account(taken=GOOD, own=balance.account.own)
        assert (balance.repeated, balance.unaccounted) == (0, 0)
        assert refusals(caplog) == 1
    assert not (state_dir / dead_letter.NAME).exists()
