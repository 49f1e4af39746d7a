"""Services by their systemd units, as `systemctl show` tells them: in a sandbox, processes are hidden."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from artemis_agent.probes import outside
from artemis_agent.probes.outside import Run, UnknownError
from artemis_agent.values import LARGEST_UINT32
from socme.text import clean
from socme.v1.vitals_pb2 import Service, ServiceState

RUNNING, CHANGING = ServiceState.SERVICE_STATE_RUNNING, ServiceState.SERVICE_STATE_CHANGING
_PROPERTIES = "LoadState,ActiveState,SubState,NRestarts,StateChangeTimestampMonotonic"
_FOLDERS = (
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
_NOT_HERE = {"not-found", "masked"}  # masked: somebody wants it not to be there
_LONGEST_WORD = 40  # characters of a state; systemd's have a dozen
# Of the second version, of the first, and of both together.
_GROUPS = tuple(f"sys/fs/cgroup/{kind}system.slice" for kind in ("", "systemd/", "unified/"))
_STATES: Mapping[str, ServiceState.ValueType] = {
    "active": RUNNING,
    "reloading": CHANGING,
    "refreshing": CHANGING,
    "activating": CHANGING,
    "deactivating": CHANGING,
    "inactive": ServiceState.SERVICE_STATE_STOPPED,
    "failed": ServiceState.SERVICE_STATE_FAILED,
}


def parse(told: str, units: Sequence[str], now_us: int) -> dict[str, Service]:
    """Return those of the units that there are; `now_us` is the monotonic clock's time in microseconds."""
    blocks = [block for block in told.split("\n\n") if block.strip()]
    if len(blocks) != len(units):
        raise UnknownError(f"systemctl tells of {len(blocks)} units instead of {len(units)}")
    found: dict[str, Service] = {}
    for unit, block in zip(units, blocks, strict=True):
        told_of = dict(_pairs(block))
        if "LoadState" not in told_of or "ActiveState" not in told_of:
            raise UnknownError("systemctl tells no state")
        if told_of["LoadState"] not in _NOT_HERE:
            found[unit] = _service(unit, told_of, now_us)
    return found


def there(units: Sequence[str], root: Path = Path("/")) -> list[str]:
    """Return the units that this machine has a file of."""
    return [unit for unit in units if any((root / folder / unit).exists() for folder in _FOLDERS)]


def groups(units: Sequence[str], root: Path = Path("/")) -> tuple[int, ...]:
    """Return what is another number for a unit after each start and end: its control group's; 0 for none.

    Of a unit in a slice of its own, or where there are no control groups, it is always 0.
    """
    return tuple(next(_numbers(unit, root), 0) for unit in units)


def _numbers(unit: str, root: Path) -> Iterator[int]:
    for folder in _GROUPS:
        with suppress(OSError):
            yield (root / folder / unit).stat().st_ino


def ask(units: Sequence[str], run: Run = outside.run) -> dict[str, Service]:
    """Return those of the units that there are; one program for all of them."""
    if not units:
        return {}
    told = run(["systemctl", "show", f"--property={_PROPERTIES}", "--", *units])
    return {} if told is None else parse(told, units, time.monotonic_ns() // 1000)


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        key, _, value = line.partition("=")
        yield key.strip(), value.strip()


def _service(unit: str, told: Mapping[str, str], now_us: int) -> Service:
    load, active = (clean(told[key], _LONGEST_WORD) for key in ("LoadState", "ActiveState"))
    sub = clean(told.get("SubState", ""), _LONGEST_WORD)
    changed = _number(told.get("StateChangeTimestampMonotonic"))
    service = Service(
        unit=unit,
        state=_STATES.get(active, ServiceState.SERVICE_STATE_UNSPECIFIED),
        detail=f"{active} ({sub})" if sub else active,
        seconds=max(0, now_us - changed) // 1_000_000 if changed else 0,
        restarts=min(_number(told.get("NRestarts")), LARGEST_UINT32),
    )
    if load != "loaded":  # a file with an error
        service.detail = f"{load}, {service.detail}"
    if (active, sub) == ("active", "exited"):
        service.state = ServiceState.SERVICE_STATE_UNSPECIFIED
        service.detail += ": systemd watches no process of it"
    return service


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0  # noqa: PLR2004
