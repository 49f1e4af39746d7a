"""Which alerts of a flood are counted into one instead of being sent one by one. Pure.

Alerts that say the same (`key`) share a window. The first `burst` of them go on, the others are held: they
become one alert with their number and the times of the first and the last. They lie one behind the other, so
that the first and their number say which they are: once a window holds, nothing more of it goes on, whatever
the settings of a later start. A window begins with its first alert and ends by the alerts' own times, so that
a backlog is rolled up as it would have been when it was written; and by the wall clock, so that a roll-up
leaves when nothing more comes. Windows are bounded in number: at the bound, alerts of a new key go on one by
one.

Whoever asks keeps the windows that hold something on disk, together with the lines that they stand for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from google.protobuf.timestamp_pb2 import Timestamp

from artemis_agent.wazuh import SURICATA_RULE
from socme.batch import ID_BYTES
from socme.v1.alert_pb2 import Alert

MOST_WINDOWS = 4096  # of one source; about 1 MB of memory
LARGEST = 16 * 1024  # bytes of a serialised alert that may be held; so much may lie on disk for each window
KEY_BYTES = 16
_SECOND = 1_000_000  # in microseconds, in which all times are counted here
_MOST_COUNT = 2**32 - 1  # that an alert can stand for


@dataclass(frozen=True, slots=True)
class Limits:
    """When to roll up."""

    burst: int
    """Alerts of a window that are sent one by one."""
    window_us: int
    """Length of a window, in microseconds."""
    most_windows: int = MOST_WINDOWS


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of the alerts of one key."""

    opened_us: int
    """When it began, by this node's clock."""
    began_us: int
    """Time of its first alert."""
    passed: int
    """Alerts that went on."""
    held: int = 0
    """Alerts that were held."""
    first_us: int = 0
    last_us: int = 0
    """Time of the earliest and of the latest that is held."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A window that is over and held something: its roll-up is due."""

    key: bytes
    window: Window


@dataclass(slots=True)
class Windows:
    """The windows of one source; whoever holds them serialises the calls."""

    limits: Limits
    _by_key: dict[bytes, Window] = field(default_factory=dict)  # those that were opened first come first

    def hold(self, key: bytes, time_us: int, now_us: int) -> tuple[bool, Ended | None]:
        """Return whether an alert is held, and the window of its key that ends with it, if one does.

        `time_us` is when it happened, `now_us` is this node's clock.
        """
        window, ended = self._by_key.get(key), None
        if window is not None and not self._takes(window, time_us, now_us):
            ended = self._end(key)
            window = None
        if window is None:
            self._open(key, time_us, now_us)
            return False, ended
        if window.passed < self.limits.burst and not window.held:
            self._by_key[key] = replace(window, passed=window.passed + 1)
            return False, None
        self._by_key[key] = _with_one_more(window, time_us)
        return True, None

    def end_due(self, now_us: int) -> Iterator[Ended]:
        """End the windows whose time is over by this node's clock; yield those that held something."""
        while self._by_key:
            key = next(iter(self._by_key))
            if not self._is_over(self._by_key[key], now_us):
                return
            ended = self._end(key)
            if ended:
                yield ended

    def due_us(self) -> int | None:
        """Return when the next window ends by this node's clock; None where there is none."""
        oldest = next(iter(self._by_key.values()), None)
        return None if oldest is None else oldest.opened_us + self.limits.window_us

    def held(self, key: bytes) -> Window | None:
        """Return the window of a key where it holds something."""
        window = self._by_key.get(key)
        return window if window is not None and window.held else None

    def restore(self, key: bytes, window: Window) -> None:
        """Take over a window that was kept; in the order in which they were opened."""
        self._by_key[key] = window

    def _open(self, key: bytes, time_us: int, now_us: int) -> None:
        if len(self._by_key) < self.limits.most_windows and self.limits.burst > 0:
            self._by_key[key] = Window(opened_us=now_us, began_us=time_us, passed=1)

    def _end(self, key: bytes) -> Ended | None:
        window = self._by_key.pop(key)
        return Ended(key, window) if window.held else None

    def _takes(self, window: Window, time_us: int, now_us: int) -> bool:
        inside = abs(time_us - window.began_us) < self.limits.window_us
        return inside and window.held < _MOST_COUNT and not self._is_over(window, now_us)

    def _is_over(self, window: Window, now_us: int) -> bool:
        """Tell by the clock; one that was set back ends the window at once, rather than hours late."""
        return not window.opened_us <= now_us < window.opened_us + self.limits.window_us


def key(alert: Alert) -> bytes:
    """Return what alerts have in common that say the same: rule, source and destination address.

    And the host, since what many agents of Wazuh report is not one thing, and for Wazuh's rule 86601, which
    stands for every signature of Suricata, the signature.
    """
    rule, host = alert.rule, alert.host
    parts = (
        rule.id,
        str(rule.generator),
        rule.name if rule.id == SURICATA_RULE else "",
        str(alert.severity),
        alert.source_endpoint.ip,
        alert.destination_endpoint.ip,
        host.id,
        host.name,
    )
    return blake2b("\x00".join(parts).encode(), digest_size=KEY_BYTES).digest()  # no part holds a NUL


def time_us(alert: Alert) -> int:
    """Return when an alert happened, in microseconds since 1970; where it has no time, when it was read."""
    time = alert.time if alert.HasField("time") else alert.observed
    return time.seconds * _SECOND + time.nanos // 1000


def rolled_up(template: bytes, window: Window) -> Alert:
    """Return the alert that stands for all that a window holds; `template` is the first of those, serialised.

    Alone, it is sent as it is. Otherwise its id is another one, made of what it stands for: the same alerts
    rolled up again are known by it, and no others.
    """
    alert = Alert.FromString(template)
    if window.held == 1:
        return alert
    digest = blake2b(b"roll-up\x00" + alert.id, digest_size=ID_BYTES)
    for number in (window.held, window.first_us, window.last_us):
        digest.update(number.to_bytes(9, "big", signed=True))
    alert.id = digest.digest()
    alert.count = window.held
    alert.first.CopyFrom(_timestamp(window.first_us))
    alert.last.CopyFrom(_timestamp(window.last_us))
    return alert


def _with_one_more(window: Window, time_us: int) -> Window:
    if not window.held:
        return replace(window, held=1, first_us=time_us, last_us=time_us)
    return replace(
        window,
        held=window.held + 1,
        first_us=min(window.first_us, time_us),
        last_us=max(window.last_us, time_us),
    )


def _timestamp(time_us: int) -> Timestamp:
    seconds, rest = divmod(time_us, _SECOND)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
