"""Canaries: written as the sensors write, read as they are read, marked by where they stood."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from artemis_agent import canary
from artemis_agent.canary import CanaryLog
from artemis_agent.normalise import Normalised, normalise
from artemis_agent.source import Kind, Record
from socme.v1.alert_pb2 import Alert, Severity

NOW = datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC)
KINDS: tuple[Kind, ...] = ("suricata", "wazuh")


def read(line: bytes, kind: Kind) -> Alert:
    """Return what the agent makes of a line in the canary log of a source."""
    found = normalise(Record(line, b"f", 0), kind=kind, origin="the log", observed=NOW)
    assert isinstance(found, Normalised)
    return canary.mark(found.alert, source="eve.json")


@pytest.mark.parametrize("kind", KINDS)
def test_a_canary_is_an_alert_like_any_other_but_marked(kind: Kind) -> None:
    alert = read(canary.line(kind, 17, NOW), kind)

    assert alert.HasField("canary")
    assert alert.canary.number == 17
    assert alert.canary.written.ToDatetime(UTC) == alert.time.ToDatetime(UTC) == NOW
    assert alert.severity == Severity.SEVERITY_LOW
    assert canary.NAME in alert.rule.name
    assert alert.origin == "eve.json"


@pytest.mark.parametrize("kind", KINDS)
def test_only_its_place_makes_a_canary(kind: Kind) -> None:
    """An attacker who writes one into the sensor's log has written an alert."""
    found = normalise(Record(canary.line(kind, 17, NOW), b"f", 0), kind=kind, origin="eve", observed=NOW)

    assert isinstance(found, Normalised)
    assert not found.alert.HasField("canary")


def test_an_alert_in_a_canary_log_is_a_canary_whatever_it_says() -> None:
    alert = read(b'{"event_type":"alert","alert":{"signature_id":1},"socme_canary":[1]}', "suricata")

    assert alert.HasField("canary")
    assert alert.canary.number == 0


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_go_on_after_a_restart(tmp_path: Path, kind: Kind) -> None:
    path = canary.log_path(tmp_path, kind, "eve.json")
    for _ in range(3):
        CanaryLog(path, kind).write(NOW)

    assert [read(line, kind).canary.number for line in path.read_bytes().splitlines()] == [1, 2, 3]
    assert path.stat().st_mode & 0o777 == 0o600


def test_numbers_go_on_from_what_the_spool_knows(tmp_path: Path) -> None:
    """The log is gone; a number that was used is not used again."""
    log = CanaryLog(tmp_path / "canary" / "c.json", "suricata", number=41)
    log.write(NOW)

    assert log.number == 42
    assert read(log.path.read_bytes().strip(), "suricata").canary.number == 42


def test_a_log_is_rotated_and_its_numbers_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By rename, as logs are; the one before stays for a reader that is behind."""
    monkeypatch.setattr(canary, "LARGEST", 1)
    path = tmp_path / "canary" / "c.json"
    for _ in range(3):
        CanaryLog(path, "suricata").write(NOW)

    assert sorted(each.name for each in path.parent.iterdir()) == ["c.json", "c.json.1"]
    older = (tmp_path / "canary" / "c.json.1").read_bytes()
    assert [read(line, "suricata").canary.number for line in (older + path.read_bytes()).splitlines()] == [
        2,
        3,
    ]

    path.unlink()
    log = CanaryLog(path, "suricata")
    log.write(NOW)
    assert log.number == 3, "that of the log before goes on"


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    log = CanaryLog(tmp_path / "canary" / "c.json", "wazuh")
    log.write(NOW)
    with log.path.open("ab") as file:
        file.write(canary.line("wazuh", 2, NOW)[:40])
    CanaryLog(log.path, "wazuh").write(NOW)

    lines = log.path.read_bytes().splitlines()
    assert len(lines) == 3
    assert read(lines[2], "wazuh").canary.number == 2


def test_a_disk_that_refuses_uses_up_the_number(tmp_path: Path) -> None:
    """The hub learns of it: a number is written that never comes."""
    log = CanaryLog(tmp_path / "canary" / "c.json", "wazuh")
    log.path.mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        log.write(NOW)
    log.path.rmdir()
    log.write(NOW)

    assert log.number == 2


def test_sources_have_logs_of_their_own(tmp_path: Path) -> None:
    paths = {
        canary.log_path(tmp_path, kind, source) for kind in KINDS for source in ("/a/eve.json", "/b/eve.json")
    }

    assert len(paths) == 4
    assert {path.parent for path in paths} == {tmp_path / canary.FOLDER}
