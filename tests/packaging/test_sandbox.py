"""The programs do their job inside the sandboxes of systemd/*.service, under a real systemd.

A container boots on a throw-away overlay of this machine's own files, without a network, and runs sandbox.sh;
here is judged what it saw. Nothing of it outlives the test.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.packaging.test_wheel import build
from tests.packaging.units import PROGRAMS, shipped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
LONGEST = 180  # seconds that the container may run; it takes about 30
HIDDEN = ("/root/", "/home/", "/run/user/")  # what ProtectHome=yes hides
PACKAGES = {"artemis": "artemis_agent", "zeus": "zeus_hub", "hermes": "hermes_display"}
TARGET = """[Unit]
Requires=basic.target dbus.service
After=basic.target dbus.service
Wants=acceptance.service
AllowIsolate=yes
"""
SERVICE = """[Unit]
DefaultDependencies=no
After=basic.target
[Service]
Type=oneshot
ExecStart=/inside/sandbox.sh
ExecStopPost=/bin/systemctl poweroff --force --force
"""
# A root file system cannot be a container's root itself, but a bind mount of it can; and the container must
# not find the folders that a systemd of this machine uses for its own.
START = """
set -e
mkdir -p /run/systemd/nspawn "$1"
mount -t tmpfs tmpfs /run/systemd/nspawn
mount --bind / "$1"
shift
exec systemd-nspawn "$@" < /dev/null
"""


def interpreter() -> str:
    """Return a Python of .venv's version that the sandbox does not hide."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (os.path.realpath(sys.executable), f"/usr/bin/{version}"):
        if Path(candidate).exists() and not candidate.startswith(HIDDEN):
            return candidate
    pytest.skip(f"there is no {version} outside of home folders, which the units hide")


def install(target: Path) -> None:
    """Lay out what an operator has in /opt/socme: a virtual environment. Its dependencies are .venv's."""
    packages = target / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    with zipfile.ZipFile(build(REPOSITORY, "wheel", target.parent / "wheel")) as archive:
        archive.extractall(packages)
    (packages / "dependencies.pth").write_text("/opt/socme-dependencies\n")
    python = interpreter()
    (target / "pyvenv.cfg").write_text(
        f"home = {Path(python).parent}\ninclude-system-site-packages = false\n"
    )
    (target / "bin").mkdir()
    (target / "bin" / "python").symlink_to(python)
    for program, package in PACKAGES.items():
        script = target / "bin" / program
        script.write_text(f"#!/opt/socme/bin/python\nfrom {package}.__main__ import main\nmain()\n")
        script.chmod(0o755)


@pytest.fixture(scope="module")
def control_group() -> Iterator[Path]:
    """Make a control group, in which the container's systemd makes its own."""
    mounted = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    hierarchies = [place for place, kind in mounted if kind == "cgroup2"]
    if not hierarchies:
        pytest.skip("this machine has no cgroup2")
    group = Path(hierarchies[0]) / f"socme-sandbox-{os.getpid()}"
    group.mkdir()
    yield group
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()


def nspawn(folder: Path) -> list[str]:
    """Return the options of systemd-nspawn: what the container sees and may do."""
    read_only = {
        HERE: "/inside",
        REPOSITORY / "systemd": "/units",
        folder / "socme": "/opt/socme",
        Path(sysconfig.get_path("purelib")): "/opt/socme-dependencies",
        folder / "acceptance.target": "/run/systemd/system/acceptance.target",
        folder / "acceptance.service": "/run/systemd/system/acceptance.service",
    }
    return [
        "--quiet",
        "--register=no",
        "--keep-unit",
        f"--machine=socme-{os.getpid()}",
        "--private-network",
        # IPAddressDeny= is a BPF program.
        "--system-call-filter=bpf",
        "--capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON",
        f"--directory={folder / 'root'}",
        "--volatile=overlay",
        "--link-journal=no",
        *(f"--bind-ro={here}:{there}" for here, there in read_only.items()),
        f"--bind={folder / 'report'}:/report",
        "--boot",
        "--console=pipe",
        "systemd.unified_cgroup_hierarchy=1",
        "systemd.unit=acceptance.target",
    ]


class Report:
    """What sandbox.sh saw."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fact(self, name: str) -> str:
        """Return what a step said; it must have succeeded."""
        log = (self.folder / "log").read_text()[-4000:]
        journal = self.folder / "journal"
        told = journal.read_text()[-6000:] if journal.exists() else ""
        code = self.folder / f"{name}.rc"
        assert code.exists(), f"{name} was not reached\n{log}\n{told}"
        assert code.read_text() == "0\n", f"{name} failed\n{log}\n{told}"
        return (self.folder / name).read_text()

    def properties(self, name: str, separator: str = "=") -> dict[str, str]:
        """Return what a step said, as keys and values."""
        lines = self.fact(name).splitlines()
        return {key: value.strip() for key, _, value in (line.partition(separator) for line in lines)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, control_group: Path) -> Report:
    """Boot the machine, let it work, and return what it saw."""
    for program in ("systemd-nspawn", "unshare"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine (Debian: apt install systemd-container)")
    folder = tmp_path_factory.mktemp("sandbox")
    folder.chmod(0o755)
    install(folder / "socme")
    (folder / "report").mkdir()
    (folder / "acceptance.target").write_text(TARGET)
    (folder / "acceptance.service").write_text(SERVICE)
    enter = f'echo $$ > {control_group}/cgroup.procs && exec "$@"'
    namespace = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        START,
        "sh",
        str(folder / "root"),
    ]
    done = subprocess.run(
        ["timeout", "-k", "5", str(LONGEST), "sh", "-c", enter, "sh", *namespace, *nspawn(folder)],
        env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if not (folder / "report" / "log").exists():
        # Where nothing may be left out, nothing is skipped.
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"no container boots here: {(done.stdout + done.stderr)[-1000:]}")
    return Report(folder / "report")


@pytest.fixture(scope="module", autouse=True)
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can boot a container")


def test_every_program_says_when_it_is_ready(report: Report) -> None:
    """Type=notify: a start that succeeds is a READY=1."""
    for program in PROGRAMS:
        report.fact(f"{program}-start")
        state = report.properties(f"{program}-state")

        assert (state["ActiveState"], state["SubState"], state["NRestarts"]) == ("active", "running", "0")
        assert state["StatusText"]


def test_enrolment_works_as_the_services_own_user(report: Report) -> None:
    report.fact("client")
    report.fact("token")
    report.fact("enroll")
    report.fact("display-enroll")


def test_alerts_of_files_that_only_groups_may_read_arrive_once_each(report: Report) -> None:
    """Before and after the agent was killed, and after it hung."""
    for step in ("arrived", "arrived-after-kill", "arrived-after-hang"):
        report.fact(step)
    alerts: list[dict[str, Any]] = [json.loads(line) for line in report.fact("alerts").splitlines()]

    assert sorted(alert["rule"]["name"] for alert in alerts) == [
        "after a hang",
        "after a kill",
        "seen by the sandboxed agent",
        "seen by the sandboxed agent, too",
    ]
    assert {(alert["client"], alert["node"]) for alert in alerts} == {("acme", "acme-1")}


def test_a_sandboxed_agent_sees_its_neighbours(report: Report) -> None:
    """Through systemd, pid files and sockets, with nothing but its groups; and is not blind to any."""
    vitals = json.loads(report.fact("node"))["vitals"]
    wazuh, tailscale = vitals["wazuh"], vitals["tailscale"]

    assert vitals["unknown"] == {}
    assert (wazuh["manager"]["state"], wazuh["manager"]["detail"]) == ("running", "active (running)")
    assert wazuh["indexer"]["state"] == "failed"
    assert wazuh["dashboard"] is None
    assert (wazuh["agents"]["active"], wazuh["agents"]["total"]) == (3, 4)
    assert (tailscale["state"], tailscale["name"]) == ("Running", "acme-1.tail.example")
    assert vitals["system"]["kernel"]
    assert vitals["certificate_expires"]
    report.fact("manager-stopped")


def test_the_wall_is_served(report: Report) -> None:
    assert "<html" in report.fact("page").lower()


def test_the_kiosks_browser_works_in_two_sandboxes_and_leaves_nothing(report: Report) -> None:
    """In its unit's, and in its own: Chromium ends at once where what it builds that of is kept from it."""
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("Chromium is not on this machine (Debian: apt install chromium)")
    report.fact("kiosk")
    report.fact("kiosk-profile-gone")
    seen = (report.folder / "kiosk-seen").read_text()

    assert "/wall.js" in seen
    assert "--no-sandbox" not in shipped("hermes-kiosk").read_text()


def test_the_browser_is_started_anew_only_if_the_wall_answers(report: Report) -> None:
    report.fact("reload")
    report.fact("reload-without-wall")

    assert (report.folder / "reloads").read_text() == "done\n"


def test_a_program_that_is_killed_or_hangs_is_started_again(report: Report) -> None:
    report.fact("artemis-killed")
    report.fact("artemis-hung")


def test_no_program_has_any_privilege(report: Report) -> None:
    for program in PROGRAMS:
        privileges = report.properties(f"{program}-privileges", ":")

        assert int(privileges["CapEff"], 16) == int(privileges["CapBnd"], 16) == 0
        assert (privileges["NoNewPrivs"], privileges["Seccomp"]) == ("1", "2")
        assert "0" not in privileges["Uid"].split()


def test_every_program_ends_cleanly_within_five_seconds(report: Report) -> None:
    for program in PROGRAMS:
        report.fact(f"{program}-stop")
        state = report.properties(f"{program}-stopped")

        assert (state["ActiveState"], state["Result"]) == ("inactive", "success")
