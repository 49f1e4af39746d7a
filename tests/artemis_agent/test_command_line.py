"""The commands of Artemis, as a person types them."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from artemis_agent.command_line import SHIPPED_FILTER
from artemis_agent.config import FilterSettings
from socme import identity
from tests.artemis_agent.command import artemis
from tests.artemis_agent.sources import copy_of, eve, wazuh
from tests.certificates import make_authority


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "artemis.toml"
    path.write_text(
        'state_dir = "state"\n[[source]]\nkind = "suricata"\npath = "eve.json"\n'
        '[filter]\nmin_severity = "medium"\n'
    )
    return path


def assert_failed(done: subprocess.CompletedProcess[bytes], *words: str) -> None:
    told = done.stderr.decode()
    assert done.returncode == 1, told
    assert told.startswith("artemis: ")
    assert "Traceback" not in told
    assert [word for word in words if word not in told] == []


def test_sift_prints_the_lines_that_leave_byte_for_byte(tmp_path: Path, config: Path) -> None:
    """By the filter of the settings."""
    log = tmp_path / "alerts.json"
    odd = wazuh(1, level=12).replace(b"own 1", b"own \xff\xc3")
    log.write_bytes(odd + b"\n" + wazuh(2, level=3) + b"\n" + copy_of(1) + b"\n")

    done = artemis("sift", log, "--config", config)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == odd + b"\n" + copy_of(1) + b"\n"


def test_sift_counts_and_explains(tmp_path: Path) -> None:
    """Without settings everything leaves but what is a copy."""
    eve_log, wazuh_log = tmp_path / "eve.json", tmp_path / "alerts.json"
    eve_log.write_bytes(eve(1, severity=1) + b"\n" + eve(2) + b"\n")
    wazuh_log.write_bytes(copy_of(1) + b"\n" + wazuh(3).replace(b"own", rb"\u001b[2Jown") + b"\n")

    counted = artemis("sift", eve_log, wazuh_log, "--count").stdout.decode()
    explained = artemis("sift", "--explain", eve_log, wazuh_log).stdout.decode()

    assert [line.split() for line in counted.splitlines()] == [
        ["1", "high"],
        ["1", "medium"],
        ["1", "low"],
        ["3", "would", "leave", "the", "site"],
        ["1", "stay:", "wazuh_copy"],
    ]
    assert f"leaves  {eve_log}:0  high rule 1 rule 1\n" in explained
    assert f"stays  {wazuh_log}:0  medium rule 86601 Suricata: Alert (wazuh_copy)\n" in explained
    assert "\x1b" not in explained


def test_sift_takes_a_kind_for_files_that_do_not_tell(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"noise\n" * 200 + eve(1) + b"\n")

    assert_failed(artemis("sift", log), "cannot tell", "--kind")
    assert eve(1) in artemis("sift", log, "--kind", "suricata").stdout
    assert artemis("sift", log, "--kind", "snort").returncode == 2
    assert artemis("sift", log, "--count", "--explain").returncode == 2


def test_status_and_vitals_without_a_daemon(tmp_path: Path, config: Path) -> None:
    identity.save(tmp_path / "state", make_authority().node("127.0.0.1:1"))

    status = json.loads(artemis("status", "--json", "--config", config).stdout)
    vitals = json.loads(artemis("vitals", "--json", "--config", config).stdout)

    assert (status["running"], status["node"]) == (False, "acme/acme-1")
    assert vitals["cpu"]["count"] == os.cpu_count()
    assert vitals["spool"]["alerts"] == 0
    assert b"does not run" in artemis("status", "--config", config).stdout
    assert b"processors" in artemis("vitals", "--config", config).stdout


def test_vitals_need_no_settings() -> None:
    """A person may look at a machine before anything is set up."""
    assert artemis("vitals", "--json").returncode == 0


def test_check_fails_with_a_line_for_each_thing(config: Path) -> None:
    done = artemis("check", "--config", config)

    assert done.returncode == 1
    assert done.stdout.decode().startswith(f"ok    settings {config}\n")
    assert b"FAIL  suricata source" in done.stdout


def test_enroll_writes_where_the_settings_say(tmp_path: Path, config: Path) -> None:
    """Even where they are not finished yet; and says what is wrong with a token."""
    config.write_text('state_dir = "state"\n')

    assert_failed(artemis("enroll", "nonsense", "--config", config), "not an enrolment token")
    assert_failed(
        artemis("enroll", "nonsense", "--config", tmp_path / "no.toml"), "there is no settings file"
    )
    assert artemis("enroll").returncode == 2


@pytest.mark.skipif(find_spec("typer._adapters") is not None, reason="this Typer imports pydantic by itself")
@pytest.mark.parametrize(("arguments", "module"), [(["status"], "status"), (["sift", "eve.json"], "preview")])
def test_a_command_imports_only_what_it_needs(tmp_path: Path, arguments: list[str], module: str) -> None:
    """A person waits for it: what the daemon needs takes longer to import than the command takes to run."""
    (tmp_path / "eve.json").write_bytes(b'{"event_type":"flow"}\n')
    environment = os.environ | {"ARTEMIS_STATE_DIR": str(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"}
    command = [sys.executable, "-m", "artemis_agent", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env=environment)
    imported = {line.rpartition(b"|")[2].strip().decode() for line in done.stderr.splitlines()}

    assert f"artemis_agent.{module}" in imported
    assert imported & {"asyncio", "cryptography", "grpc", "pydantic", "inotify_simple"} == set()


def test_without_settings_everything_is_sent_as_the_settings_say() -> None:
    rules = FilterSettings()

    assert (rules.min_severity, rules.keep_both) == SHIPPED_FILTER
