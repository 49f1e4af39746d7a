"""What `artemis status` knows, with and without a daemon."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from artemis_agent import canary, counters, status
from artemis_agent.counters import Counters
from artemis_agent.file_identity import Known, Position, encode
from artemis_agent.spool import Progress, Waiting, open_spool
from artemis_agent.status import Connection
from socme import show
from socme.errors import OperatorError
from socme.show import lines
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane
from socme.v1.vitals_pb2 import SourceVitals, SpoolVitals

CONNECTED = Connection(
    hub="hub:8443",
    state="connected",
    since=datetime(2026, 11, 22, tzinfo=UTC),
    last_acknowledgement=datetime(2026, 11, 22, 1, tzinfo=UTC),
    last_error="",
    slowed="",
    clock_offset_seconds=0.5,
)
POSITION = encode(
    Position(files=(Known(device=1, inode=2, head=b"h", identity=b"i", offset=4096, size=5000, left=False),))
)
PROGRESS = Progress(
    source="eve.json",
    position=POSITION,
    counters=counters.message(Counters(alerts=1), name="eve.json", kind="suricata").SerializeToString(),
    alerts=[Waiting(Alert(message="a").SerializeToString(), Lane.LANE_URGENT)],
    tally={"read": 1},
)
TOLD = SpoolVitals(capacity_bytes=1 << 30)


def as_json(found: status.Status, *, name: str) -> dict[str, Any]:
    """Return a status as a script gets it."""
    told: dict[str, Any] = json.loads(json.dumps(status.as_json(found, name=name)))
    return told


async def test_a_running_agent(tmp_path: Path) -> None:
    """Its own words about connection and sources, the spool's about what waits."""
    spool = open_spool(tmp_path, max_bytes=1 << 30)
    await spool.append(PROGRESS)
    live = SourceVitals(name="eve.json", kind="suricata", alerts=1, lag_bytes=77, last_record_age_seconds=1.5)
    status.tell(tmp_path, CONNECTED, [live], TOLD, "")

    found = status.read(tmp_path)

    assert found.running
    told = as_json(found, name="acme/acme-1")
    assert told["node"] == "acme/acme-1"
    assert told["pid"] == os.getpid()
    assert told["connection"] == "connected"
    assert told["connection_since"] == "2026-11-22T00:00:00.000000Z"
    assert told["last_acknowledgement"] == "2026-11-22T01:00:00.000000Z"
    assert told["spool"]["alerts"] == 1
    assert told["spool"]["lanes"] == {"urgent": 1}
    assert told["spool"]["capacity_bytes"] == 1 << 30
    (source,) = told["sources"]
    assert (source["lag_bytes"], source["offset"], source["last_record_age_seconds"]) == (77, 4096, 1.5)
    text = "\n".join(lines(list(status.rows(found, name="acme/acme-1"))))
    assert f"runs, pid {os.getpid()}" in text
    assert "read up to byte 4,096" in text
    await spool.close()


async def test_an_agent_that_does_not_run(tmp_path: Path) -> None:
    """The file that it left says nothing about now; the spool does."""
    spool = open_spool(tmp_path, max_bytes=1 << 30)
    await spool.append(PROGRESS)
    status.tell(tmp_path, CONNECTED, [SourceVitals(name="eve.json", lag_bytes=77)], TOLD, "")
    await spool.close()

    told = as_json(status.read(tmp_path), name="")

    assert (told["running"], told["connection"], told["pid"], told["node"]) == (False, "stopped", None, None)
    assert told["last_acknowledgement"] == "2026-11-22T01:00:00.000000Z"
    (source,) = told["sources"]
    assert (source["alerts"], source["lag_bytes"]) == (1, 0)
    text = "\n".join(lines(list(status.rows(status.read(tmp_path), name=""))))
    assert "does not run" in text
    assert "not enrolled" in text


def test_nothing_ever_ran(tmp_path: Path) -> None:
    """An empty state folder is a status, too; none is a mistake."""
    told = as_json(status.read(tmp_path), name="")

    assert told["sources"] == []
    assert told["spool"]["alerts"] == 0
    with pytest.raises(OperatorError, match="there is no state folder"):
        status.read(tmp_path / "missing")


def test_a_damaged_file_and_one_of_another_version(tmp_path: Path) -> None:
    (tmp_path / status.NAME).write_text("{")
    with pytest.raises(OperatorError, match="cannot read"):
        status.read(tmp_path)

    (tmp_path / status.NAME).write_text('{"format": 99, "connection": 7}')
    assert status.read(tmp_path).told == {}


def test_replaced_whole(tmp_path: Path) -> None:
    """No half-written file is ever there under the name, and no other stays behind."""
    status.tell(tmp_path, CONNECTED, [], TOLD, "")
    status.tell(tmp_path, CONNECTED, [], TOLD, "")

    assert [path.name for path in tmp_path.iterdir()] == [status.NAME]


async def test_what_is_wrong_with_the_spool_is_shown(tmp_path: Path) -> None:
    """The hub's pace, a full disk, alerts that nobody can account for, a damaged spool that was set aside."""
    spool = open_spool(tmp_path, max_bytes=1 << 30)
    slowed = replace(CONNECTED, slowed="the hub's disk is full")
    ill = SpoolVitals(problem="the disk is full", unaccounted=3, dropped={"age": 2})
    status.tell(tmp_path, slowed, [], ill, "/state/spool.db.damaged-1")

    found = status.read(tmp_path)

    told = as_json(found, name="")
    assert told["slowed"] == "the hub's disk is full"
    assert told["set_aside"] == "/state/spool.db.damaged-1"
    assert (told["spool"]["problem"], told["spool"]["unaccounted"]) == ("the disk is full", 3)
    text = "\n".join(lines(list(status.rows(found, name=""))))
    for words in (
        "slowed",
        "PROBLEM: the disk is full",
        "UNACCOUNTED: 3",
        "SET ASIDE: a damaged spool, /state/spool.db.damaged-1",
    ):
        assert words in text
    await spool.close()


async def test_canary_logs_are_no_sources(tmp_path: Path) -> None:
    """What the operator follows is shown, and what Artemis follows for itself is not."""
    spool = open_spool(tmp_path, max_bytes=1 << 30)
    await spool.append(replace(PROGRESS, source=str(canary.log_path(tmp_path, "suricata", "eve.json"))))
    await spool.append(PROGRESS)

    assert [source.name for source in status.read(tmp_path).sources] == ["eve.json"]
    await spool.close()


async def test_canaries_are_no_alerts_that_wait_or_that_came(tmp_path: Path) -> None:
    """In the daemon's figures and in those read from outside."""
    spool = open_spool(tmp_path, max_bytes=1 << 30)
    log = str(canary.log_path(tmp_path, "suricata", "eve.json"))
    sung = replace(PROGRESS, source=log, counters=SourceVitals(spooled=1).SerializeToString())
    await spool.append(sung)
    await spool.append(PROGRESS)
    await spool.append(PROGRESS)
    first, *_ = await spool.next({})
    spool.acknowledge(first.lane, first.sequence)
    await spool.trim()
    await spool.append(replace(sung, counters=SourceVitals(spooled=2).SerializeToString()))

    found = status.read(tmp_path)
    own = await spool.ask(lambda journal: status.sung(journal, tmp_path))
    told = status.spool_vitals(spool.depth, spool.acknowledged, {}, own)

    assert own == status.Sung(waiting=1, acknowledged=1)
    for vitals in (found.spool, told):
        assert (vitals.alerts, vitals.acknowledged) == (2, 0)
    assert sum(found.lanes.values()) == 2
    await spool.close()


async def test_a_spool_is_as_full_as_where_reading_pauses(tmp_path: Path) -> None:
    """What the hub makes of the figures is what the agent does."""
    spool = open_spool(tmp_path, max_bytes=2000)
    while spool.share < 1:
        await spool.append(PROGRESS)
    vitals = status.spool_vitals(spool.depth, 0, {}, status.Sung(0, 0))
    vitals.capacity_bytes = 2000

    assert vitals.bytes / vitals.capacity_bytes == spool.share
    assert ("", "PROBLEM: it is full: reading pauses until the hub has taken some of it") in list(
        show.spool_rows(vitals)
    )
    await spool.close()


def test_whom_the_node_mails_itself_is_shown_where_it_does(tmp_path: Path) -> None:
    glass = {
        "to": ["it@client.example"],
        "after_minutes": 15.0,
        "told": 3,
        "last_mail": "2026-11-29T12:17:00.000000Z",
        "problem": "mail server mail:587 cannot be reached: timed out",
    }
    status.tell(tmp_path, CONNECTED, [], TOLD, "", glass)
    open_spool(tmp_path, max_bytes=1 << 30)
    found = status.read(tmp_path)

    assert as_json(found, name="")["break_glass"] == glass
    text = "\n".join(lines(list(status.rows(found, name=""))))
    assert "mails it@client.example after 15 min without a hub" in text
    assert "last mail 2026-11-29T12:17:00.000000Z; 3 alerts" in text
    assert "PROBLEM: mail server mail:587 cannot be reached: timed out" in text
    status.tell(tmp_path, CONNECTED, [], TOLD, "")
    assert not any("break-glass" in row for row in lines(list(status.rows(status.read(tmp_path), name=""))))
