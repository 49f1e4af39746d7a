"""What may be an alert in a whole file. How blocks are read stands in test_file_source.py."""

import os
from pathlib import Path

import pytest

from artemis_agent.candidates import candidates_in_file
from artemis_agent.source import Record, Reject
from socme.errors import OperatorError

FLOW = b'{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"flow"}\n'


def alert(number: int) -> bytes:
    return b'{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"alert","flow_id":%d}' % number


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eve.json"


def test_a_whole_file_gives_its_last_line_too(path: Path) -> None:
    path.write_bytes(FLOW + alert(1) + b"\n" + alert(2))

    assert [found.raw for found in candidates_in_file(path, "suricata") if isinstance(found, Record)] == [
        alert(1),
        alert(2),
    ]

    path.write_bytes(alert(1))
    (record,) = candidates_in_file(path, "suricata")

    assert isinstance(record, Record)


def test_a_whole_file_that_cannot_be_read_is_an_error_with_a_mend(path: Path, tmp_path: Path) -> None:
    for wrong in (path, tmp_path):
        with pytest.raises(OperatorError) as caught:
            list(candidates_in_file(wrong, "suricata"))

        assert str(wrong) in str(caught.value)
        assert caught.value.mend


@pytest.mark.parametrize(
    ("name", "alerts", "rejects"),
    [
        ("odd-truncated.jsonl", 12, 1),
        ("odd-truncated-midchar.jsonl", 3, 1),
        ("odd-noeol.jsonl", 4, 0),
        ("odd-crlf.jsonl", 12, 0),
        ("odd-bom.jsonl", 4, 0),
        ("odd-nul.jsonl", 8, 0),
        ("odd-cee-prefix.jsonl", 3, 0),
        ("odd-huge.jsonl", 5, 0),
        ("odd-multiline.json", 0, 0),
        ("eve.json", 571, 0),
    ],
)
def test_odd_files(corpora: Path, name: str, alerts: int, rejects: int) -> None:
    found = list(candidates_in_file(corpora / "dev" / name, "suricata"))

    assert len([one for one in found if isinstance(one, Record)]) == alerts
    assert len([one for one in found if isinstance(one, Reject)]) == rejects


def test_each_record_is_what_stands_at_its_offset(corpora: Path) -> None:
    for name in ("eve.json", "alerts.json", "odd.jsonl"):
        path = corpora / "dev" / name
        descriptor = os.open(path, os.O_RDONLY)
        for found in candidates_in_file(path, "wazuh" if name == "alerts.json" else "suricata"):
            assert isinstance(found, Record)
            assert os.pread(descriptor, len(found.raw) + 1, found.offset) == found.raw + b"\n"
        os.close(descriptor)
