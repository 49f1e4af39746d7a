"""What stands in the database of an alert's triage, and how one deed changes it: within a transaction.

The rules are pure functions from one State to the next; a deed that leads to the same State changes nothing
and is not written down. Every change moves the counts of the alert's slot with it (slots.py) and gets a
number, which watchers follow.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, select, text

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from socme.v1.watch_pb2 import Triage, Verdict
from zeus_hub import schema, slots
from zeus_hub.database import alert, microseconds, moment

ASKED_AT_ONCE = 500  # alerts in one query, and in one transaction

# Understood by SQLite and PostgreSQL alike.
_PUT = text(
    "INSERT INTO triage"
    " (alert_number, status, verdict, reason, owner, comments, changed_us, changed_by)"
    " VALUES (:alert_number, :status, :verdict, :reason, :owner, :comments, :changed_us, :changed_by)"
    " ON CONFLICT (alert_number) DO UPDATE SET status = excluded.status, verdict = excluded.verdict,"
    " reason = excluded.reason, owner = excluded.owner, comments = excluded.comments,"
    " changed_us = excluded.changed_us, changed_by = excluded.changed_by"
)


@dataclass(frozen=True, slots=True)
class State:
    """Where an alert stands; as it is here for one that nobody has touched."""

    status: int = NEW
    verdict: int = Verdict.VERDICT_UNSPECIFIED
    reason: str = ""
    owner: str = ""
    comments: int = 0


Step = Callable[[State], State]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that somebody does to alerts."""

    action: str
    step: Step
    actor: str
    now: datetime
    text: str = ""
    """Of a comment."""


def acknowledge(actor: str, now: datetime) -> Deed:
    """Look after alerts that nobody looks after; those that are closed stay so."""

    def step(state: State) -> State:
        if state.status != NEW:
            return state
        return replace(state, status=ACKNOWLEDGED, owner=state.owner or actor)

    return Deed("acknowledge", step, actor, now)


def assign(owner: str, actor: str, now: datetime) -> Deed:
    """Give alerts to somebody; whether they were looked at stays as it is."""
    return Deed("assign", lambda state: replace(state, owner=owner), actor, now)


def close(verdict: int, reason: str, actor: str, now: datetime) -> Deed:
    """Be done with alerts; those that are closed get this verdict and reason instead of theirs."""

    def step(state: State) -> State:
        return replace(state, status=CLOSED, verdict=verdict, reason=reason)

    return Deed("close", step, actor, now)


def reopen(actor: str, now: datetime) -> Deed:
    """Take back that alerts were closed: they are new again, and keep their owner."""

    def step(state: State) -> State:
        if state.status != CLOSED:
            return state
        return replace(state, status=NEW, verdict=Verdict.VERDICT_UNSPECIFIED, reason="")

    return Deed("reopen", step, actor, now)


def comment(words: str, actor: str, now: datetime) -> Deed:
    """Say something about alerts, unless just that is the last comment already and by the same person."""
    return Deed("comment", lambda state: replace(state, comments=state.comments + 1), actor, now, words)


def change(connection: Connection, numbers: Sequence[int], deed: Deed) -> int:
    """Do something to alerts, by their numbers, at most ASKED_AT_ONCE; return how many it changed."""
    if deed.text:
        numbers = _unsaid(connection, numbers, deed)
    known = {row.alert_number: _state(row) for row in _rows(connection, numbers)}
    query = select(
        alert.c.number,
        alert.c.client_id,
        alert.c.severity,
        alert.c.received_us,
        alert.c.count.label("alerts"),  # a row has a method count
    )
    changed: list[tuple[int, State, State]] = []
    shifts: dict[slots.Slot, slots.Shift] = {}
    for row in connection.execute(query.where(alert.c.number.in_(numbers)).order_by(alert.c.number)):
        before = known.get(row.number, State())
        after = deed.step(before)
        if after != before:
            changed.append((row.number, before, after))
            slot = (row.severity, slots.begin(row.received_us), row.client_id)
            shifts[slot] = _shifted(shifts.get(slot, (0, 0)), before.status, after.status, row.alerts)
    if changed:
        stamp = {"changed_us": microseconds(deed.now), "changed_by": deed.actor}
        connection.execute(_PUT, [{"alert_number": one, **_row(after), **stamp} for one, _, after in changed])
        _write_down(connection, changed, deed)
        slots.shift(connection, shifts)
    return len(changed)


def load(connection: Connection, numbers: Sequence[int]) -> dict[int, Triage]:
    """Return what people have done about alerts, by number; those that nobody has touched are left out."""
    rows = _rows(connection, numbers)
    return {row.alert_number: message(row, row.changed_us, row.changed_by) for row in rows}


def message(row: Row[tuple[object, ...]], time_us: int, actor: str) -> Triage:
    """Return a row of `triage` or `triage_change` as watchers get it."""
    triage = Triage(
        status=row.status,
        verdict=row.verdict,
        reason=row.reason,
        owner=row.owner,
        changed_by=actor,
        comments=row.comments,
    )
    triage.changed.FromDatetime(moment(time_us))
    return triage


def _rows(connection: Connection, numbers: Sequence[int]) -> Iterable[Row[tuple[object, ...]]]:
    table = schema.triage
    for begin in range(0, len(numbers), ASKED_AT_ONCE):
        some = numbers[begin : begin + ASKED_AT_ONCE]
        yield from connection.execute(select(table).where(table.c.alert_number.in_(some)))


def _unsaid(connection: Connection, numbers: Sequence[int], deed: Deed) -> Sequence[int]:
    """Return the alerts of which the last comment is another one, or by somebody else.

    Who repeats a command that was interrupted means the rest, and no State tells what has been said.
    """
    table = schema.triage_change
    comments = select(func.max(table.c.number))
    comments = comments.where(table.c.alert_number.in_(numbers), table.c.action == deed.action)
    said = select(table.c.alert_number).where(
        table.c.number.in_(comments.group_by(table.c.alert_number)),
        table.c.actor == deed.actor,
        table.c.text == deed.text,
    )
    there = set(connection.execute(said).scalars())
    return [number for number in numbers if number not in there]


def _state(row: Row[tuple[object, ...]]) -> State:
    return State(row.status, row.verdict, row.reason, row.owner, row.comments)


def _row(state: State) -> Mapping[str, object]:
    return {
        "status": state.status,
        "verdict": state.verdict,
        "reason": state.reason,
        "owner": state.owner,
        "comments": state.comments,
    }


def _shifted(shift: slots.Shift, before: int, after: int, count: int) -> slots.Shift:
    """Return by how much a slot's counts move, with one alert more that went from one status to another."""

    def moved(status: int) -> int:
        return ((after == status) - (before == status)) * count

    return shift[0] + moved(ACKNOWLEDGED), shift[1] + moved(CLOSED)


def _write_down(connection: Connection, changed: Sequence[tuple[int, State, State]], deed: Deed) -> None:
    told = {
        "time_us": microseconds(deed.now),
        "actor": deed.actor,
        "action": deed.action,
        "text": deed.text,
    }
    rows = [
        {"alert_number": number, "before": before.status, **_row(after), **told}
        for number, before, after in changed
    ]
    connection.execute(insert(schema.triage_change), rows)
