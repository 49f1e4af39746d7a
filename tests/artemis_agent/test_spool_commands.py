"""`artemis spool check`, `export` and `repair`."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from artemis_agent import canary
from artemis_agent.collect import SCHEMA
from artemis_agent.command_line import app
from artemis_agent.spool import Progress, Waiting, open_spool
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Alert, Canary, Rule


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return settings with a spool of three alerts in two batches."""

    async def fill() -> None:
        spool = open_spool(tmp_path / "state", max_bytes=1 << 30, schema=SCHEMA)
        for messages in (["a", "b"], ["c"]):
            made = [Alert(message=message) for message in messages]
            if made[0].message == "c":  # which leaves its rule's name to the hub
                made = [Alert(rule=Rule(name="c"))]
            alerts = [Waiting(alert.SerializeToString()) for alert in made]
            await spool.append(Progress("eve.json", b"p", b"c", alerts, tally={"read": len(alerts)}))
        await spool.close()

    asyncio.run(fill())
    path = tmp_path / "artemis.toml"
    path.write_text('state_dir = "state"\n[[source]]\nkind = "suricata"\npath = "eve.json"\n')
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["spool", *arguments, "--config", str(config)])


def test_a_sound_spool(config: Path) -> None:
    done = run(config, "check")

    assert done.exit_code == 0, done.output
    assert "sound" in done.output
    assert "normal: 3 alerts wait" in done.output


def test_a_row_that_was_deleted_is_found(config: Path) -> None:
    with sqlite3.connect(config.parent / "state" / "spool.db") as db:
        db.execute("DELETE FROM entry WHERE alerts = 2")
    done = run(config, "check")

    assert done.exit_code == 1
    assert "UNACCOUNTED: 2 of eve.json" in done.output


def test_alerts_are_printed(config: Path) -> None:
    done = run(config, "export")

    assert done.exit_code == 0, done.output
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == ["a", "b", "c"]


def test_canaries_are_none_of_them(config: Path) -> None:
    """They are marked, and lie under the name of their log."""
    state_dir = config.parent / "state"

    async def sing() -> None:
        spool = open_spool(state_dir, max_bytes=1 << 30)
        alert = Alert(message="proof", canary=Canary(number=1))
        log = str(canary.log_path(state_dir, "suricata", "eve.json"))
        await spool.append(Progress(log, b"p", b"c", [Waiting(alert.SerializeToString())], tally={"read": 1}))
        await spool.close()

    asyncio.run(sing())

    assert "proof" not in run(config, "export").stdout
    assert "normal: 3 alerts wait" in run(config, "check").stdout


def test_what_cannot_be_read_is_named_and_the_rest_is_printed(config: Path) -> None:
    file = config.parent / "state" / "spool.db"
    with sqlite3.connect(file) as db:
        db.execute("UPDATE entry SET payload = x'00' WHERE alerts = 2")
    done = run(config, "export", str(file))

    assert done.exit_code == 1
    assert "skipped" in done.stderr
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == ["c"]


def test_what_was_set_aside_is_taken_back_once(config: Path) -> None:
    state = config.parent / "state"
    (state / "spool.db").rename(state / "spool.db.damaged-1")

    done, again = run(config, "repair"), run(config, "repair")

    assert done.exit_code == 0, done.output
    assert f"{state}/spool.db.repaired-1: 3 alerts taken back, 0 places not readable" in done.output
    assert "sound, and none was set aside" in again.output
    assert "normal: 3 alerts wait" in run(config, "check").output


def test_what_cannot_be_taken_back_is_named(config: Path) -> None:
    state = config.parent / "state"
    with closing(sqlite3.connect(state / "spool.db")) as db, db:
        db.execute("UPDATE entry SET payload = x'00' WHERE alerts = 2")
    (state / "spool.db").rename(state / "spool.db.damaged-1")
    done = run(config, "repair")

    assert done.exit_code == 1
    assert "1 alerts taken back, 1 places not readable" in done.output
    assert "skipped: the entry at" in done.stderr


def test_a_changed_byte_is_not_sound(config: Path) -> None:
    """SQLite's own check does not look into what is kept."""
    file = config.parent / "state" / "spool.db"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE entry SET payload = substr(payload, 1, length(payload) - 1)")
    (config.parent / "state" / "spool.db").rename(config.parent / "other.db")
    done = run(config, "check", str(config.parent / "other.db"))

    assert done.exit_code == 1
    assert f"{config.parent}/other.db: damaged: the entry at" in done.output


@pytest.mark.parametrize(("version", "words"), [(3, "older version"), (99, "newer version")])
def test_a_spool_of_another_version_is_neither_sound_nor_damaged(
    config: Path, version: int, words: str
) -> None:
    with closing(sqlite3.connect(config.parent / "state" / "spool.db")) as db:
        db.execute(f"PRAGMA user_version = {version}")
    done = run(config, "check")

    assert isinstance(done.exception, OperatorError)
    assert words in str(done.exception)


def test_what_waits_for_its_roll_up_is_shown(config: Path) -> None:
    with closing(sqlite3.connect(config.parent / "state" / "spool.db")) as db, db:
        db.execute("INSERT INTO held VALUES ('eve.json', x'01', 0, 0, 5, 1200, 0, 0)")
        db.execute("INSERT INTO held_first VALUES ('eve.json', x'01', x'')")

    assert "held: 1,200 lines wait for their roll-up" in run(config, "check").output


def test_a_folder_that_was_mistyped_is_not_made(config: Path) -> None:
    config.write_text('state_dir = "typo"')

    done = run(config, "repair")

    assert isinstance(done.exception, OperatorError)
    assert not (config.parent / "typo").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_leaves_nothing_behind_that_the_agents_user_cannot_read(config: Path) -> None:
    os.chown(config.parent / "state", 65534, -1)

    done = run(config, "repair")

    assert "belongs to nobody" in str(done.exception)
    assert "sudo -u nobody artemis" in str(done.exception)
