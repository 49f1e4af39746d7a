"""What would leave the site, from whole files."""

import os
from pathlib import Path

import pytest

from artemis_agent.preview import Judged, Log, judge, kind_of
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Severity
from tests.artemis_agent.sources import copy_of, eve, wazuh


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def judged(*logs: Log, least: Severity.ValueType = Severity.SEVERITY_LOW, both: bool = False) -> list[Judged]:
    return list(judge(logs, min_severity=least, keep_both=both))


def outcomes(found: list[Judged]) -> list[str]:
    return [each.stays for each in found]


def test_records_are_judged_as_the_daemon_would(tmp_path: Path) -> None:
    lines = (eve(1, severity=1), b'{"event_type":"flow"}', eve(2, severity=3), b'{"event_type":"alert"')
    log = Log(write(tmp_path / "eve.json", *lines), "suricata")

    found = judged(log, least=Severity.SEVERITY_MEDIUM)

    assert [each.raw for each in found if each.alert] == [eve(1, severity=1), eve(2, severity=3)]
    assert found[0].stays == ""
    assert found[0].offset == 0
    assert "min_severity" in outcomes(found)
    assert any(reason.startswith("undecodable: ") for reason in outcomes(found))


def test_copies_stay_when_the_originals_are_there(tmp_path: Path) -> None:
    """In whatever order the files are named; without the originals, or with keep_both, they leave."""
    originals = Log(write(tmp_path / "eve.json", eve(1)), "suricata")
    copies = Log(write(tmp_path / "alerts.json", copy_of(1), copy_of(2), wazuh(3)), "wazuh")

    assert outcomes(judged(copies, originals)) == ["wazuh_copy", "", "", ""]
    assert outcomes(judged(copies)) == ["", "", ""]
    assert outcomes(judged(copies, originals, both=True)) == [""] * 4


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_bytes(eve(1) + b"\n" + eve(2))

    assert len(judged(Log(path, "suricata"))) == 2


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((eve(1),), "suricata"),
        ((wazuh(1),), "wazuh"),
        ((b"", b"half a line", b"[]", b"7", wazuh(1)), "wazuh"),
        ((b"\xef\xbb\xbf" + eve(1),), "suricata"),
        ((b"@cee: " + eve(1),), "suricata"),
        ((b"[" * 100_000, wazuh(1)), "wazuh"),
        ((), "suricata"),
    ],
)
def test_what_wrote_a_file_shows(tmp_path: Path, lines: tuple[bytes, ...], kind: str) -> None:
    assert kind_of(write(tmp_path / "log", *lines)) == kind


def test_what_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot tell") as refusal:
        kind_of(write(tmp_path / "log", b'{"message": "hello"}', b"text"))
    assert "--kind" in refusal.value.mend
    with pytest.raises(OperatorError, match="cannot read"):
        kind_of(tmp_path / "missing")


def test_real_input(corpora: Path) -> None:
    """All alerts of a sensor's file, and each of Wazuh's but the copies of these."""
    eve_log = Log(corpora / "dev" / "eve.json", "suricata")
    wazuh_log = Log(corpora / "dev" / "alerts.json", "wazuh")

    found = judged(eve_log, wazuh_log)

    leave = [each for each in found if each.alert and not each.stays]
    assert sum(each.log == eve_log for each in leave) == 571
    assert outcomes(found).count("wazuh_copy") == 428
    assert sum(each.log == wazuh_log for each in leave) == 1535 - 428
    lines = set(eve_log.path.read_bytes().split(b"\n")) | set(wazuh_log.path.read_bytes().split(b"\n"))
    assert all(each.raw in lines for each in found)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """Opening a pipe would wait for its writer for ever."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OperatorError, match="not a regular file"):
        kind_of(tmp_path / "pipe")


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = write(tmp_path / os.fsdecode(b"eve-\xff.json"), eve(1))

    (found,) = judged(Log(path, "suricata"))

    assert found.alert is not None
    assert found.stays == ""
