"""Every probe of the machine, and each of them failing."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from artemis_agent import vitals
from artemis_agent.probes.panel import Panel
from artemis_agent.vitals import Meter, Told
from socme import VERSION
from socme.v1.vitals_pb2 import LedgerHour, SensorVitals, SourceVitals, Vitals


def test_a_machine_is_measured(tmp_path: Path) -> None:
    """On an ordinary machine everything is known."""
    found = Panel(vitals.probes([tmp_path])).tell()
    vitals.stamp(found)

    assert found.agent_version == VERSION
    assert found.time.seconds > 0
    assert not found.unknown
    assert found.hostname == socket.gethostname()
    assert found.uptime_seconds > 0
    assert found.cpu_count == psutil.cpu_count()
    assert 0 <= found.cpu_usage <= 1
    assert 0 < found.memory.used_bytes <= found.memory.total_bytes
    assert found.agent_memory_bytes > 1024 * 1024
    assert found.disks[0].mountpoint == "/"
    assert found.disks[0].capacity.total_bytes > 0


def test_each_file_system_is_told_once(tmp_path: Path) -> None:
    """Many folders of one file system are one disk; a folder that is missing is none."""
    inner = tmp_path / "inner"
    inner.mkdir()

    found = vitals.disks([tmp_path, inner, tmp_path / "missing"])

    disks = found.disks
    assert not found.unknown

    assert len({disk.mountpoint for disk in disks}) == len(disks)
    devices = {Path("/").stat().st_dev, tmp_path.stat().st_dev}
    assert len(disks) == len(devices)


def test_processor_use_is_of_the_time_between_two_readings() -> None:
    assert vitals._usage((10.0, 100.0), (15.0, 110.0)) == 0.5
    assert vitals._usage((10.0, 100.0), (10.0, 100.0)) == 0.0
    assert vitals._usage((10.0, 100.0), (9.0, 101.0)) == 0.0, "counters of a virtual machine may go back"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("192.0.2.7", True),
        ("10.0.0.1", True),
        ("2001:db8::7", True),
        ("fd00::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("169.254.1.1", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("02:42:ac:11:00:02", False),
    ],
)
def test_which_addresses_are_told(address: str, shown: bool) -> None:  # noqa: FBT001
    assert vitals._is_global(address) is shown


def refuse(*_arguments: object, **_options: object) -> object:
    """Fail as a sandbox makes a probe fail."""
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize(
    ("probe", "field", "absent"),
    [
        ("boot_time", "uptime_seconds", lambda found: found.uptime_seconds == 0),
        ("cpu_count", "cpu_count", lambda found: found.cpu_count == 0),
        ("cpu_times", "cpu_usage", lambda found: found.cpu_usage == 0),
        ("virtual_memory", "memory", lambda found: not found.HasField("memory")),
        ("disk_usage", "disks", lambda found: not found.disks),
        ("Process", "agent_memory_bytes", lambda found: found.agent_memory_bytes == 0),
    ],
)
def test_a_probe_that_is_refused_is_absent_and_says_why(
    monkeypatch: pytest.MonkeyPatch, probe: str, field: str, absent: Callable[[object], bool]
) -> None:
    """And takes no other with it."""
    monkeypatch.setattr(psutil, probe, refuse)

    found = Panel(vitals.probes([])).tell()

    assert absent(found)
    assert found.hostname
    assert dict(found.unknown) == {field: "operation not permitted"}


def test_what_proc_holds_may_be_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> object:
        raise ValueError("not a number")

    monkeypatch.setattr(psutil, "virtual_memory", read)

    assert Meter().measure().unknown["memory"] == "ValueError: not a number"


def test_without_netlink_the_way_out_tells_the_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """RestrictAddressFamilies without AF_NETLINK: the machine's list is refused, its routes are not."""
    known = {each.address for listed in psutil.net_if_addrs().values() for each in listed}
    monkeypatch.setattr(psutil, "net_if_addrs", refuse)

    found = Meter().measure()

    assert set(found.addresses) <= known


def test_a_process_without_proc() -> None:
    """With /proc hidden the whole module still works, in a process of its own."""
    code = "from artemis_agent.vitals import Meter; print(Meter().measure().hostname)"
    command = f"mount -t tmpfs none /proc && exec {sys.executable} -c '{code}'"
    hidden = ["unshare", "--mount", "--fork", "sh", "-c", command]
    if (
        os.geteuid() != 0
        or subprocess.run([*hidden[:3], "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs root and mount namespaces to hide /proc")

    done = subprocess.run(hidden, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == socket.gethostname()


def test_what_suricatas_logs_say() -> None:
    """Records of all its logs, and the rules that it has loaded: each log of one sensor tells the same."""
    told = SensorVitals(rules_loaded=100, rules_failed=2)
    found = Vitals(sources=[SourceVitals(name=name, kind="suricata", sensor=told) for name in ("a", "b")])
    found.sources.add(name="alerts", kind="wazuh")
    found.suricata.rules = 90  # in the files

    vitals.add_suricata(found, {"a": 5, "b": 6, "alerts": 100, "gone": 1000})

    suricata = found.suricata
    assert (suricata.day_records, suricata.rules, suricata.rules_failed) == (11, 100, 2)


def test_without_a_log_of_suricata_nothing_is_added() -> None:
    found = Vitals(sources=[SourceVitals(name="alerts", kind="wazuh")])

    vitals.add_suricata(found, {"alerts": 100})

    assert not found.HasField("suricata")


def hour(number: int, acknowledged: int, source: str = "eve") -> LedgerHour:
    made = LedgerHour(source=source, acknowledged=acknowledged, filtered={"a": 1, "b": 2})
    made.hour.FromSeconds(number * 3600)
    return made


def test_the_hub_is_told_what_changed() -> None:
    """And over a new connection all of it again: the last of the one before may not have arrived."""
    told = Told()

    assert told.changed([hour(1, 5), hour(2, 5), hour(2, 5, "alerts")], "first") == [
        hour(2, 5),
        hour(2, 5, "alerts"),
        hour(1, 5),
    ]
    assert told.changed([hour(1, 5), hour(2, 6), hour(2, 5, "alerts")], "first") == [hour(2, 6)]
    assert told.changed([hour(2, 6), hour(3, 1)], "first") == [hour(3, 1)]
    assert told.changed([hour(2, 6), hour(3, 1)], "second") == [hour(3, 1), hour(2, 6)]


def test_much_is_told_in_portions_that_the_hub_takes() -> None:
    """40 sources with long names, and two days of each: all of it arrives, what is newest first."""
    told = Told()
    names = [f"/var/log/{source:03}".ljust(120, "x") for source in range(40)]
    hours = [hour(number, 5, name) for number in range(48) for name in names]
    portions = []
    while portion := told.changed(hours, "first"):
        portions.append(portion)

    assert all(Vitals(ledger=portion).ByteSize() < 128 * 1024 for portion in portions)
    heard = [(each.source, each.hour.seconds) for portion in portions for each in portion]
    assert len(heard) == len(set(heard)) == len(hours)
    assert {each.hour.seconds for each in portions[0][:40]} == {47 * 3600}
