"""Critical alerts that came while the screen was looking, and what people did about them. Pure, bounded."""

from dataclasses import dataclass, replace

from hermes_display.rows import Row
from hermes_display.triage import Stage

MOST_ALARMS = 5  # that are kept whole
MOST_KEYS = 64  # that are known by their keys


@dataclass(frozen=True, slots=True)
class Alarms:
    """All of them."""

    number: int = 0
    """How many there ever were."""
    rows: tuple[Row, ...] = ()
    """The latest that nobody has done anything about, newest first."""
    keys: tuple[str, ...] = ()
    """Of the latest of them all, oldest first."""
    taken: tuple[str, ...] = ()
    """Those of `keys` about which somebody has done something."""


def raised(alarms: Alarms, row: Row) -> Alarms:
    """Return them with one more."""
    return replace(
        alarms,
        number=alarms.number + 1,
        rows=(row, *alarms.rows)[:MOST_ALARMS],
        keys=(*alarms.keys, row.key)[-MOST_KEYS:],
    )


def answered(alarms: Alarms, key: str, after: Stage) -> Alarms:
    """Return them after somebody did something about an alert."""
    if key not in alarms.keys:
        return alarms
    taken = tuple(each for each in alarms.taken if each != key and each in alarms.keys)
    if after is Stage.NEW:
        return replace(alarms, taken=taken)
    return replace(alarms, rows=tuple(row for row in alarms.rows if row.key != key), taken=(*taken, key))
