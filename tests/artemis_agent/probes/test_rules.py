"""Suricata's rule files, by settings as Debian's package of 7.0.10 has them."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import rules
from artemis_agent.probes.outside import UnknownError
from artemis_agent.probes.rules import RuleFiles, count, parse
from socme.v1.vitals_pb2 import Vitals

DEBIAN = """%YAML 1.1
---
##
## Configure Suricata to load Suricata-Update managed rules.
##

default-rule-path: /var/lib/suricata/rules

rule-files:
  - suricata.rules

##
## Auxiliary configuration files.
##
classification-file: /etc/suricata/classification.config
"""
RULES = b"""# a comment
alert icmp any any -> any any (msg:"x"; sid:1;)
  drop tcp any any -> any any (msg:"y"; sid:2;)
# alert icmp any any -> any any (msg:"off"; sid:3;)
rejectboth\ttcp any any -> any any (sid:4;)

alertness is no action
pass ip any any -> any any (sid:5;)"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suricata.yaml").write_text(
        f"default-rule-path: '{tmp_path}'  # here\n"
        'rule-files:\n  # ours\n  - "suricata.rules"\n - *.local\n'
        " - missing.rules\nother:\n  - no.rules\n"
    )
    (tmp_path / "suricata.rules").write_bytes(RULES)
    return tmp_path


def test_the_settings_that_are_shipped() -> None:
    assert parse(DEBIAN) == [Path("/var/lib/suricata/rules/suricata.rules")]


@pytest.mark.parametrize("settings", ["", "rule-files: []", "rule-files:\nnext: 1", "- x"])
def test_settings_without_rules(settings: str) -> None:
    assert parse(settings) == []


def test_settings_in_other_words() -> None:
    """Without a folder, at the end of the file, with windows' line ends or none."""
    assert parse("rule-files:\n- a.rules\n-   /etc/b.rules # b") == [
        Path("/var/lib/suricata/rules/a.rules"),
        Path("/etc/b.rules"),
    ]


@given(st.text())
def test_any_settings(settings: str) -> None:
    for text in (settings, "rule-files:\n" + settings, "rule-files:\n - " + settings):
        assert len(parse(text)) <= rules.MOST_FILES


def test_rules_are_counted_and_comments_are_not(folder: Path) -> None:
    assert count([folder / "suricata.rules"]) == 4


def test_rules_at_the_edge_of_a_piece(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(1, 40):
        monkeypatch.setattr(rules, "_PIECE", size * 30)
        assert count([folder / "suricata.rules"]) == 4


def test_files_that_are_named(folder: Path) -> None:
    (folder / "own.local").write_bytes(b"alert ip any any -> any any (sid:9;)\n")
    os.utime(folder / "own.local", (1000, 1000))
    os.utime(folder / "suricata.rules", (2000, 2000))

    found = RuleFiles(folder / "suricata.yaml").ask()

    assert found.suricata.rules == 5
    assert found.suricata.rules_written.seconds == 2000, "the newest"


def test_what_did_not_change_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe, read = RuleFiles(folder / "suricata.yaml"), list[Sequence[Path]]()

    def read_all(files: Sequence[Path]) -> int:
        read.append(files)
        return 7

    monkeypatch.setattr(rules, "count", read_all)
    probe.ask()
    assert probe.ask().suricata.rules == 7
    assert len(read) == 1
    (folder / "suricata.rules").write_bytes(RULES + b"\n")
    probe.ask()
    assert len(read) == 2


def test_a_machine_without_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "USUAL", tmp_path / "usual.rules")
    assert RuleFiles(tmp_path / "none.yaml").ask() == Vitals()
    (tmp_path / "usual.rules").write_bytes(RULES)
    assert RuleFiles(tmp_path / "none.yaml").ask().suricata.rules == 4


def test_settings_that_may_not_be_read_are_unknown_and_a_folder_of_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownError, match="is a directory"):
        RuleFiles(tmp_path).ask()
    (tmp_path / "suricata.yaml").write_text(f"default-rule-path: {tmp_path}\nrule-files:\n - inner\n")
    (tmp_path / "inner").mkdir()
    with pytest.raises(UnknownError, match="is a directory"):
        RuleFiles(tmp_path / "suricata.yaml").ask()


def test_a_device_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_BYTES", 1024 * 1024)
    with pytest.raises(UnknownError, match="bytes of rules"):
        count([Path("/dev/zero")])
