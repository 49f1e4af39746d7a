"""What people at a receiver made of the groups that it was told of, as it was when they were last asked.

Kept only of groups that the receiver was told of, and only what the organisation says that is told of the
group's client: nobody else's word counts. All functions work within a transaction.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import get_args

import msgspec
from sqlalchemy import Connection, Row, and_, delete, insert, select

from zeus_hub import schema, sent
from zeus_hub.database import microseconds, moment
from zeus_hub.receivers.thehive.outcome import Kind, Mark, Outcome

GROUP = re.compile(r"[0-9a-f]{32}")  # Notice.group
KEPT = timedelta(days=400)  # after which a word that nobody has changed is forgotten
MOST_FORGOTTEN = 1000  # rows in one transaction
KINDS: Sequence[Kind] = get_args(Kind)
_AT_ONCE = 500  # names in one statement

_SEEN = msgspec.json.Decoder(tuple[tuple[str, int], ...])
_ENCODER = msgspec.json.Encoder()


def mark(connection: Connection, receiver: str, organisation: str, kind: Kind) -> Mark | None:
    """Return up to where changes are known; None where nobody has asked yet."""
    table = schema.outcome_mark
    row = connection.execute(
        select(table).where(
            table.c.receiver == receiver, table.c.organisation == organisation, table.c.kind == kind
        )
    ).one_or_none()
    return None if row is None else Mark(row.at_ms, _SEEN.decode(row.seen), row.behind)


def put_mark(connection: Connection, receiver: str, organisation: str, kind: Kind, reached: Mark) -> None:
    """Keep up to where changes are known, in the transaction that keeps what they say."""
    table = schema.outcome_mark
    key = {"receiver": receiver, "organisation": organisation, "kind": kind}
    connection.execute(delete(table).where(*(table.c[name] == value for name, value in key.items())))
    values = {"at_ms": reached.at, "behind": reached.behind, "seen": _ENCODER.encode(reached.seen)}
    connection.execute(insert(table).values(key | values))


def keep(
    connection: Connection,
    receiver: str,
    organisation: str,
    outcomes: Iterable[Outcome],
    concerns: Callable[[str], bool],
) -> None:
    """Keep how groups stand; the later of two of a kind counts. `concerns`: whether a client is theirs."""
    for kind in KINDS:
        latest = {each.group: each for each in outcomes if each.of == kind}
        for groups in _parts(list(latest)):
            known = _known(connection, receiver, organisation, groups, concerns)
            rows = [_row(receiver, organisation, latest[group]) for group in groups if group in known]
            _replace(connection, receiver, kind, rows)


def of_groups(connection: Connection, groups: Collection[str]) -> Mapping[tuple[str, str], Outcome]:
    """Return how groups stand, by group and receiver."""
    table = schema.outcome
    found: dict[tuple[str, str], dict[Kind, Outcome]] = {}
    for row in connection.execute(select(table).where(table.c.group_key.in_(groups))):
        found.setdefault((row.group_key, row.receiver), {})[row.kind] = _outcome(row)
    return {key: latest(kinds) for key, kinds in found.items()}


def latest(kept: Mapping[Kind, Outcome]) -> Outcome:
    """Return what counts, of what became of the alert there and of a case that it was in, or of one of them.

    A case counts as long as the alert is in it, whatever is written into the alert.
    """
    alert, case = kept.get("alert"), kept.get("case")
    if alert is None or case is None:
        return next(iter(kept.values()))
    return case if alert.case == case.case or case.at >= alert.at else alert


def forget(connection: Connection, now: datetime) -> int:
    """Forget some of what nobody has changed for long; return how many."""
    table = schema.outcome
    key = (table.c.group_key, table.c.receiver, table.c.kind)
    old = select(*key).where(table.c.changed_us < microseconds(now - KEPT)).limit(MOST_FORGOTTEN)
    rows = connection.execute(old).all()
    for row in rows:
        connection.execute(
            delete(table).where(*(name == value for name, value in zip(key, row, strict=True)))
        )
    return len(rows)


def _known(
    connection: Connection,
    receiver: str,
    organisation: str,
    groups: Sequence[str],
    concerns: Callable[[str], bool],
) -> set[str]:
    """Return those groups of which an organisation may speak."""
    table = schema.outcome
    known = set(
        connection.execute(
            select(table.c.group_key).where(
                table.c.receiver == receiver,
                table.c.organisation == organisation,
                table.c.group_key.in_(groups),
            )
        ).scalars()
    )
    rest = [group for group in groups if group not in known]
    clients = sent.clients(connection, receiver, rest)
    return known | {group for group, client in clients.items() if concerns(client)}


def _replace(connection: Connection, receiver: str, kind: Kind, rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    table = schema.outcome
    groups = [row["group_key"] for row in rows]
    same = and_(table.c.receiver == receiver, table.c.kind == kind, table.c.group_key.in_(groups))
    connection.execute(delete(table).where(same))
    connection.execute(insert(table), list(rows))


def _row(receiver: str, organisation: str, outcome: Outcome) -> dict[str, object]:
    return {
        "group_key": outcome.group,
        "receiver": receiver,
        "kind": outcome.of,
        "organisation": organisation,
        "reference": outcome.reference,
        "stage": outcome.stage,
        "status": outcome.status,
        "summary": outcome.summary,
        "impact": outcome.impact,
        "case_id": outcome.case,
        "case_number": outcome.number,
        "changed_us": microseconds(outcome.at),
    }


def _outcome(row: Row[tuple[object, ...]]) -> Outcome:
    return Outcome(
        of=row.kind,
        group=row.group_key,
        reference=row.reference,
        stage=row.stage,
        status=row.status,
        summary=row.summary,
        impact=row.impact,
        case=row.case_id,
        number=row.case_number,
        at=moment(row.changed_us),
    )


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield names in parts that one statement takes; those that no group has are left out."""
    groups = [name for name in names if GROUP.fullmatch(name)]
    for begin in range(0, len(groups), _AT_ONCE):
        yield groups[begin : begin + _AT_ONCE]
