"""How this machine is: the machine's part of Vitals.

Each probe fails by itself: of what cannot be known here (a sandbox without AF_NETLINK, a hidden /proc) it is
told why, and the rest is still told. What runs beside the agent is asked by artemis_agent.probes.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from artemis_agent.probes.outside import UnknownError, refusal
from artemis_agent.probes.panel import Probe
from socme import VERSION
from socme.v1.vitals_pb2 import Capacity, Disk, LedgerHour, Vitals

STARTED = time.monotonic()
TOLD_BYTES = 64 * 1024  # of ledger hours in one message: a quarter of what the hub takes
# Addresses that nobody has (RFC 5737, RFC 3849): asking for a route to them sends nothing.
_NOWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class Meter:
    """Measures the machine; remembers the processors' times between two measurements.

    psutil.cpu_percent would remember them by thread and say 0 the first time in each.
    """

    def __init__(self) -> None:
        self._times: tuple[float, float] | None = None
        _softly("cpu_usage", self._add_usage, Vitals())  # from now on

    def measure(self) -> Vitals:
        """Return how the machine and this process are, without what runs beside it. Blocks."""
        vitals = Vitals()
        for field, probe in (
            ("hostname", _add_hostname),
            ("uptime_seconds", _add_uptime),
            ("cpu_count", _add_processors),
            ("cpu_usage", self._add_usage),
            ("memory", _add_memory),
            ("addresses", _add_addresses),
            ("agent_memory_bytes", _add_process),
        ):
            _softly(field, probe, vitals)
        return vitals

    def _add_usage(self, vitals: Vitals) -> None:
        before, self._times = self._times, None
        self._times = _processor_times()
        if before is not None:
            vitals.cpu_usage = _usage(before, self._times)


def probes(folders: Sequence[Path]) -> list[Probe]:
    """Return the probes of the machine; `folders` are those whose file systems matter, beside the root."""
    return [Probe("machine", Meter().measure), Probe("disks", lambda: disks(folders))]


def stamp(vitals: Vitals) -> None:
    """Say who measured, and when."""
    vitals.agent_version = VERSION
    vitals.agent_uptime_seconds = int(time.monotonic() - STARTED)
    vitals.time.GetCurrentTime()


def add_suricata(vitals: Vitals, records: Mapping[str, int]) -> None:
    """Add what is known by Suricata's logs: the records of a day, by log, and the rules that are loaded."""
    logs = [source for source in vitals.sources if source.kind == "suricata"]
    if logs:
        vitals.suricata.day_records = sum(records.get(log.name, 0) for log in logs)
    for sensor in (log.sensor for log in logs):  # one that writes several logs tells the same in each
        if sensor.HasField("rules_loaded"):
            vitals.suricata.rules = sensor.rules_loaded
        if sensor.HasField("rules_failed"):
            vitals.suricata.rules_failed = sensor.rules_failed


class Told:
    """Which hours of the ledger the hub was told over a connection, so that it is told what changed alone.

    Of much, some at a time: vitals that are too large are not taken.
    """

    def __init__(self) -> None:
        self._connection: object = None
        self._hours: dict[tuple[str, int], bytes] = {}

    def changed(self, hours: Iterable[LedgerHour], connection: object) -> list[LedgerHour]:
        """Return the hours to tell now, the newest first; `connection` is equal for as long as one lasts.

        What was told over one that ended may never have arrived: over the next one all are told again.
        """
        if connection != self._connection:
            self._connection, self._hours = connection, {}
        now = {(hour.source, hour.hour.seconds): hour for hour in hours}
        self._hours = {key: told for key, told in self._hours.items() if key in now}
        fresh: list[LedgerHour] = []
        room = TOLD_BYTES
        for key, hour in sorted(now.items(), key=lambda one: -one[0][1]):
            written = hour.SerializeToString(deterministic=True)
            if self._hours.get(key) == written or room < len(written):
                continue
            room -= len(written)
            fresh.append(hour)
            self._hours[key] = written
        return fresh


def _softly(field: str, probe: Callable[[Vitals], None], vitals: Vitals) -> None:
    """Let a probe add what it finds; what it cannot find stays absent, with the reason."""
    # psutil lets through what /proc holds: missing files, refused ones, and text that it cannot parse.
    try:
        probe(vitals)
    except OSError as error:
        vitals.unknown[field] = str(refusal(error))
    except (psutil.Error, ValueError, IndexError, KeyError, RuntimeError, NotImplementedError) as error:
        vitals.unknown[field] = str(UnknownError(f"{type(error).__name__}: {error}"))


def _add_hostname(vitals: Vitals) -> None:
    vitals.hostname = socket.gethostname()


def _add_uptime(vitals: Vitals) -> None:
    vitals.uptime_seconds = max(0, int(time.time() - psutil.boot_time()))


def _add_processors(vitals: Vitals) -> None:
    vitals.cpu_count = psutil.cpu_count() or 0


def _add_memory(vitals: Vitals) -> None:
    memory = psutil.virtual_memory()
    vitals.memory.total_bytes = memory.total
    vitals.memory.used_bytes = memory.total - memory.available


def _add_process(vitals: Vitals) -> None:
    vitals.agent_memory_bytes = psutil.Process().memory_info().rss


def _add_addresses(vitals: Vitals) -> None:
    try:
        found = [address.address for each in psutil.net_if_addrs().values() for address in each]
    except OSError:  # AF_NETLINK is refused; the way out still tells the main addresses
        found = list(_outbound_addresses())
    vitals.addresses.extend(sorted({text for text in found if _is_global(text)}, key=_address_order))


def _outbound_addresses() -> Iterator[str]:
    for family, nowhere in _NOWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((nowhere, 9))
                yield str(probe.getsockname()[0])
        except OSError:
            continue  # no route for this family


def _is_global(text: str) -> bool:
    """Tell whether a text is an address that others may know this machine by."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # a hardware address
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _address_order(text: str) -> tuple[int, bytes]:
    address = ipaddress.ip_address(text)
    return address.version, address.packed


def disks(folders: Sequence[Path]) -> Vitals:
    """Return the file systems of the root and of some folders, each once. Blocks, where one hangs."""
    vitals = Vitals()
    seen: set[int] = set()
    for folder in (Path("/"), *folders):
        try:
            device = folder.stat().st_dev
            usage = psutil.disk_usage(str(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            vitals.unknown["disks"] = str(refusal(error))
            continue
        if device not in seen:
            seen.add(device)
            capacity = Capacity(total_bytes=usage.total, used_bytes=usage.used)
            vitals.disks.append(Disk(mountpoint=str(_mountpoint(folder)), capacity=capacity))
    return vitals


def _mountpoint(folder: Path) -> Path:
    """Return where the folder's file system is mounted, as far as the folders above may be looked at."""
    place = folder.resolve()
    while place.parent != place and place.parent.stat().st_dev == place.stat().st_dev:
        place = place.parent
    return place


def _processor_times() -> tuple[float, float]:
    """Return seconds of work and seconds in all, of all processors since the machine started."""
    times = psutil.cpu_times()._asdict()
    # A guest's time is in user's and nice's already.
    total = sum(seconds for name, seconds in times.items() if not name.startswith("guest"))
    idle = times.get("idle", 0.0) + times.get("iowait", 0.0)
    return total - idle, total


def _usage(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Return the share of the time between two readings in which processors worked, 0 to 1."""
    busy, total = after[0] - before[0], after[1] - before[1]
    return min(1.0, max(0.0, busy / total)) if total > 0 else 0.0
