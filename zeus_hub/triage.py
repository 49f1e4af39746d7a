"""What people do about alerts: look after them, hand them on, be done with them, say something.

For every front: commands today, a console later. Whoever calls says who does it, by login name, and has
checked that this person may. Each function takes the alerts that are meant, by their names, by filters or as
a group that people were told of, works on a bounded number of them in one transaction, and is idempotent:
what is so already stays untouched, is not written down and not counted. What is done, the audit log tells in
the same transaction.

All functions block on the database; other processes may read and write it meanwhile.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select

from socme import severity
from socme.errors import OperatorError
from socme.triage import OPEN, VERDICTS, status_name
from socme.v1.watch_pb2 import Triage
from socme.view import source_name, stamp
from zeus_hub import alerts, audit, database, grouped, schema, triaged, words
from zeus_hub.alerts import Filters, Key
from zeus_hub.database import moment, reading, writing
from zeus_hub.grouped import Grouped
from zeus_hub.triaged import Deed

PORTION = triaged.ASKED_AT_ONCE  # alerts in one transaction
PAUSE_SECONDS = 0.02  # between two transactions, in which the store gets its turn
MOST_NAMED = 5  # alerts whose names stand in one row of the audit log


class Ref(NamedTuple):
    """The name of one alert."""

    client: str
    node: str
    id: bytes


Chosen = Sequence[Ref] | Filters | Grouped
"""Which alerts are meant: these, or all that meet the filters or are open in a group when it begins."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    found: int
    """Alerts that were meant and are there."""
    changed: int
    """Those of them that were not so already."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was done to an alert."""

    time: datetime
    actor: str
    action: str
    """acknowledge, assign, close, reopen or comment."""
    text: str
    """Of a comment."""
    after: Triage
    """Where the alert stood then."""


def acknowledge(engine: Engine, chosen: Chosen, *, by: str, now: datetime) -> Outcome:
    """Look after alerts that are new; those that nobody owns get `by` as their owner."""
    return _do(engine, chosen, triaged.acknowledge(words.person(by), now), {})


def assign(engine: Engine, chosen: Chosen, owner: str, *, by: str, now: datetime) -> Outcome:
    """Give alerts to somebody."""
    owner = words.person(owner)
    return _do(engine, chosen, triaged.assign(owner, words.person(by), now), {"owner": owner})


def close(engine: Engine, chosen: Chosen, verdict: int, reason: str, *, by: str, now: datetime) -> Outcome:
    """Be done with alerts, whether they were looked at or not; `verdict` is a socme.v1.Verdict.

    Those that are closed already get this verdict and reason where they are named, or the filters ask for
    them: a sweep by other filters must not overwrite what was found out about one of them.
    """
    if verdict not in VERDICTS:
        raise OperatorError("a verdict is missing", "Say what the alert turned out to be.")
    reason = words.reason(reason)
    if isinstance(chosen, Filters) and chosen.statuses is None:
        chosen = replace(chosen, statuses=OPEN)
    deed = triaged.close(verdict, reason, words.person(by), now)
    return _do(engine, chosen, deed, {"verdict": VERDICTS[verdict], "reason": reason})


def reopen(engine: Engine, chosen: Chosen, *, by: str, now: datetime) -> Outcome:
    """Make alerts that were closed new again."""
    return _do(engine, chosen, triaged.reopen(words.person(by), now), {})


def comment(engine: Engine, chosen: Chosen, text: str, *, by: str, now: datetime) -> Outcome:
    """Say something about alerts; an alert of which `by` has said just that last has it already."""
    text = words.comment(text)
    return _do(engine, chosen, triaged.comment(text, words.person(by), now), {"comment": text})


def history(engine: Engine, ref: Ref) -> list[Change]:
    """Return what was done to an alert, the oldest first."""
    table = schema.triage_change
    with reading(engine) as connection:
        rows = connection.execute(
            select(table).where(table.c.alert_number.in_(numbers(connection, [ref]))).order_by(table.c.number)
        ).all()
    return [
        Change(
            moment(row.time_us),
            row.actor,
            row.action,
            row.text,
            triaged.message(row, row.time_us, row.actor),
        )
        for row in rows
    ]


def _do(engine: Engine, chosen: Chosen, deed: Deed, details: Mapping[str, object]) -> Outcome:
    """Do something to alerts, portion by portion."""
    if isinstance(chosen, Filters):
        alerts.check_names(engine, chosen)
        details = {**details, "filters": _told(chosen)}
        return _do_to_all(engine, chosen, _portions(engine, chosen), deed, "by filter", details)
    if isinstance(chosen, Grouped):
        still = Filters(client=chosen.client, statuses=OPEN)
        members = grouped.portions(engine, chosen)
        return _do_to_all(engine, still, members, deed, f"{chosen.client} group {chosen.id}", details)
    found = changed = 0
    for begin in range(0, len(chosen), PORTION):
        refs = chosen[begin : begin + PORTION]
        with writing(engine) as connection:
            there = numbers(connection, refs)
            done = triaged.change(connection, there, deed)
            if done:
                _note(connection, deed, _subject(refs), {**details, "changed": done})
        found, changed = found + len(there), changed + done
    return Outcome(found, changed)


def _do_to_all(
    engine: Engine,
    filters: Filters,
    portions: Iterable[Sequence[int]],
    deed: Deed,
    subject: str,
    details: Mapping[str, object],
) -> Outcome:
    """Do something to alerts as far as they meet the filters; those that no longer do so are left out."""
    found = changed = 0
    for numbers in portions:
        with writing(engine) as connection:
            meant = select(database.alert.c.number).where(
                database.alert.c.number.in_(numbers), alerts.condition(connection, filters)
            )
            still = connection.execute(meant).scalars().all()
            done = triaged.change(connection, still, deed)
            if done:
                _note(connection, deed, subject, {**details, "changed": done})
        found, changed = found + len(still), changed + done
        threading.Event().wait(PAUSE_SECONDS)
    return Outcome(found, changed)


def _portions(engine: Engine, filters: Filters) -> Iterator[Sequence[int]]:
    """Yield the numbers of the alerts that meet the filters now, the oldest first.

    What comes meanwhile is left out: a busy hub would keep it going for ever.
    """
    after: Key | None = None
    with reading(engine) as connection:
        last = connection.execute(select(func.max(database.alert.c.number))).scalar_one() or 0
    while True:
        with reading(engine) as connection:
            keys = alerts.keys(connection, filters, after, newest_first=False, size=alerts.KEYS)
        numbers = [number for _, number in keys if number <= last]
        for begin in range(0, len(numbers), PORTION):
            yield numbers[begin : begin + PORTION]
        if len(keys) < alerts.KEYS:
            return
        after = keys[-1]


def numbers(connection: Connection, refs: Sequence[Ref]) -> Sequence[int]:
    """Return the numbers of alerts, within a transaction; those that are not there are left out."""
    alert, node, client = database.alert, database.node, database.client
    query = (
        select(alert.c.number, client.c.name, node.c.name, alert.c.id)
        .join_from(alert, node, node.c.id == alert.c.node_id)
        .join(client, client.c.id == node.c.client_id)
        .where(alert.c.id.in_([ref.id for ref in refs]))
    )
    wanted = set(refs)
    return [number for number, *name in connection.execute(query) if Ref(*name) in wanted]


def _note(connection: Connection, deed: Deed, subject: str, details: Mapping[str, object]) -> None:
    action = f"alert {deed.action}"
    audit.note(connection, action, subject, actor=deed.actor, now=deed.now, details=details)


def _subject(refs: Sequence[Ref]) -> str:
    names = [f"{ref.client}/{ref.node} {ref.id.hex()}" for ref in refs[:MOST_NAMED]]
    more = len(refs) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _told(filters: Filters) -> dict[str, object]:
    """Return filters as the audit log has them: those that are given, in words."""
    given = ((field.name, getattr(filters, field.name)) for field in fields(filters))
    return {name: _word(name, value) for name, value in given if value is not None}


def _word(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, frozenset):
        return [status_name(one) for one in sorted(value)]
    if isinstance(value, int):
        return source_name(value) if name == "source" else severity.name(value)
    return value
