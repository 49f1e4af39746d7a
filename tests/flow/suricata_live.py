"""Real Suricata, live on a network interface of its own, into which captures are replayed.

A network namespace holds a pair of virtual interfaces; Suricata listens at one end, tcpreplay sends at the
other. Nothing leaves the namespace. It needs root, suricata, tcpreplay, ip (iproute2) and ethtool.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.flow.programs import wait_until

SETTINGS = Path("/etc/suricata/suricata.yaml")
RULES = Path(__file__).resolve().parents[1] / "generate" / "local.rules"
TOOLS = ("suricata", "tcpreplay", "ip", "ethtool")
LISTENING, SENDING = "sniff0", "play0"
START_LIMIT = 90.0  # seconds; loading rules takes a busy machine long
STOP_LIMIT = 30.0  # seconds
PACKETS_A_SECOND = 200


def missing() -> str:
    """Return why real Suricata cannot run here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root for a network namespace"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    if not SETTINGS.is_file():
        return f"there is no {SETTINGS}"
    name = _name()
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False, text=True)
    if made.returncode != 0:
        return f"no network namespace can be made: {made.stderr.strip()}"
    _run("ip", "netns", "delete", name)
    return ""


@dataclass(frozen=True, slots=True)
class LiveSuricata:
    """A running Suricata."""

    namespace: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def eve(self) -> Path:
        """The file that it writes."""
        return self.folder / "eve.json"

    @property
    def eves(self) -> list[Path]:
        """That file and those that it was rotated to, newest first."""
        return sorted(self.folder.glob("eve.json*"))

    def replay(self, capture: Path) -> None:
        """Send a capture's frames past Suricata; return when they are sent."""
        pace = f"--pps={PACKETS_A_SECOND}"
        _inside(self.namespace, "tcpreplay", "--quiet", pace, f"--intf1={SENDING}", str(capture))

    def alerts(self) -> list[bytes]:
        """Return the whole alert lines that it has written so far, newest file first."""
        return [line for path in self.eves for line in alerts_in(path)]

    def wait_for_alerts(self, number: int) -> None:
        """Return when it has written at least so many."""
        wait_until(lambda: len(self.alerts()) >= number, f"Suricata has written {number} alerts")

    def rotate(self) -> None:
        """Do what logrotate does with `create` and a postrotate of `kill -HUP`; fewer than ten times.

        Suricata writes on in the renamed file until it is told and has something more to write, so there must
        be traffic; it has written some there when it is told.
        """
        for path in reversed(self.eves):
            generation = int(path.suffix[1:]) if path != self.eve else 0
            path.rename(self.eve.with_name(f"{self.eve.name}.{generation + 1}"))
        renamed = self.eves[0]
        size = renamed.stat().st_size
        wait_until(lambda: renamed.stat().st_size > size, "Suricata writes on in the renamed file")
        self.process.send_signal(signal.SIGHUP)
        wait_until(self.eve.exists, "Suricata writes to a new file")


def alerts_in(path: Path) -> list[bytes]:
    """Return the whole alert lines of a file."""
    lines = path.read_bytes().splitlines(keepends=True)
    return [line for line in lines if line.endswith(b"\n") and b'"event_type":"alert"' in line]


@contextmanager
def live(folder: Path, rules: Path = RULES) -> Iterator[LiveSuricata]:
    """Give a Suricata that listens, and end it with all that was made for it."""
    folder.mkdir(parents=True, exist_ok=True)
    namespace = _name()
    _run("ip", "netns", "add", namespace)
    try:
        _wire(namespace)
        with _running(namespace, folder, rules) as process:
            yield LiveSuricata(namespace, folder, process)
    finally:
        _run("ip", "netns", "delete", namespace)


def _wire(namespace: str) -> None:
    """Make the two interfaces: no IPv6 of the kernel's own, and no offloads that would change packets."""
    quiet = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
    for setting in quiet:
        key, _, value = setting.partition("=")
        path = "/proc/sys/" + key.replace(".", "/")
        _inside(namespace, "sh", "-c", f"echo {value} > {path}")
    _run("ip", "-netns", namespace, "link", "add", LISTENING, "type", "veth", "peer", "name", SENDING)
    for interface in (LISTENING, SENDING):
        offloads = [word for name in ("rx", "tx", "gro", "gso", "tso") for word in (name, "off")]
        _inside(namespace, "ethtool", "-K", interface, *offloads)
        _run("ip", "-netns", namespace, "link", "set", interface, "mtu", "9000", "up")


@contextmanager
def _running(namespace: str, folder: Path, rules: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "suricata.log"
    command = (
        *("ip", "netns", "exec", namespace, "suricata"),
        *("-c", str(SETTINGS), "-S", str(rules), "-l", str(folder), "-k", "none"),
        f"--af-packet={LISTENING}",
        *("--set", f"unix-command.filename={folder / 'command.socket'}"),
    )
    utc = {**os.environ, "TZ": "UTC"}
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(command, env=utc, stderr=subprocess.STDOUT, stdout=output)

    def listens() -> bool:
        assert process.poll() is None, f"Suricata ended: {(folder / 'output.log').read_text()}"
        return log.exists() and "Engine started" in log.read_text()

    try:
        wait_until(listens, "Suricata listens", limit=START_LIMIT)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _name() -> str:
    return f"socme-{secrets.token_hex(4)}"


def _inside(namespace: str, *command: str) -> None:
    _run("ip", "netns", "exec", namespace, *command)


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)
