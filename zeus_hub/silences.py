"""What people ask not to be told of for a while: written down with who and why, and never deleted."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Row, insert, select, update

from socme.errors import OperatorError
from zeus_hub import audit, schema, words
from zeus_hub.database import microseconds, moment, reading, writing
from zeus_hub.registry import get_client
from zeus_hub.routes.matcher import matcher
from zeus_hub.routes.silence import Silence
from zeus_hub.routes.syntax import MatcherError

LONGEST = timedelta(days=366)
MOST_ACTIVE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A silence that somebody asks for."""

    client: str
    match: str
    """An expression; empty for all alerts of the client."""
    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A silence as somebody asked for it."""

    number: int
    client: str
    match: str
    """An expression; empty for all alerts of the client."""
    made: datetime
    until: datetime
    who: str
    why: str


def add(engine: Engine, wish: Wish, *, who: str, now: datetime) -> Asked:
    """Make a silence; raise OperatorError where it cannot be as it is asked for. Blocks on the database."""
    get_client(engine, wish.client)
    person, reason = words.person(who), words.reason(wish.why)
    _check(wish.match)
    if not now < wish.until <= now + LONGEST:
        raise OperatorError(
            "a silence ends in the future, within a year",
            "Say until when: --until 2h, or a time to come.",
        )
    row = {
        "client": wish.client,
        "match": wish.match,
        "made_us": microseconds(now),
        "until_us": microseconds(wish.until),
        "who": person,
        "why": reason,
    }
    with writing(engine) as connection:
        if len(list(_active(connection, now))) >= MOST_ACTIVE:
            raise OperatorError(f"there are {MOST_ACTIVE} silences already", "End some: zeus silence end.")
        number = connection.execute(insert(schema.silence).values(row)).inserted_primary_key[0]  # type: ignore[index]
        made = Asked(number, wish.client, wish.match, now, wish.until, person, reason)
        _note(connection, "silence add", made, person, now)
    return made


def end(engine: Engine, number: int, *, who: str, now: datetime) -> Asked:
    """End a silence now; raise OperatorError where there is none. Blocks on the database."""
    person = words.person(who)
    table = schema.silence
    with writing(engine) as connection:
        row = connection.execute(select(table).where(table.c.number == number)).one_or_none()
        if row is None:
            raise OperatorError(f"there is no silence {number}", "`zeus silence list` shows them.")
        asked = _asked(row)
        if asked.until > now:
            connection.execute(
                update(table).where(table.c.number == number).values(until_us=microseconds(now))
            )
            _note(connection, "silence end", asked, person, now)
    return asked


def asked(engine: Engine, now: datetime, *, all_of_them: bool = False) -> list[Asked]:
    """Return the silences that hold, or all that ever were, the newest first. Blocks on the database."""
    table = schema.silence
    query = select(table).order_by(table.c.number.desc())
    with reading(engine) as connection:
        if all_of_them:
            return [_asked(row) for row in connection.execute(query)]
        return [_asked(row) for row in reversed(list(_active(connection, now)))]


Said = tuple[tuple[int, int], ...]


def said(connection: Connection, now: datetime) -> Said:
    """Return what changes where a silence is made, moved or over, within a transaction."""
    return tuple((row.number, row.until_us) for row in _active(connection, now))


def active(connection: Connection, now: datetime) -> list[Silence]:
    """Return the silences that hold, within a transaction; each costs a millisecond.

    One that this version cannot read any more holds nothing back: to be told once more is the safe mistake.
    """
    found = []
    for row in _active(connection, now):
        try:
            match = matcher(row.match) if row.match else None
        except MatcherError:
            continue
        found.append(
            Silence(
                id=str(row.number),
                client=row.client,
                match=match,
                until=moment(row.until_us),
                who=row.who,
                why=row.why,
            )
        )
    return found


def _active(connection: Connection, now: datetime) -> Iterator[Row[tuple[object, ...]]]:
    table = schema.silence
    query = select(table).where(table.c.until_us > microseconds(now)).order_by(table.c.number)
    yield from connection.execute(query)


def _asked(row: Row[tuple[object, ...]]) -> Asked:
    return Asked(
        row.number, row.client, row.match, moment(row.made_us), moment(row.until_us), row.who, row.why
    )


def _check(match: str) -> None:
    if match:
        try:
            matcher(match)
        except MatcherError as error:
            raise OperatorError(f"wrong expression: {error}", "docs/routes.md says what there is.") from error


def _note(connection: Connection, action: str, asked: Asked, who: str, now: datetime) -> None:
    details = {
        "client": asked.client,
        "match": asked.match,
        "until": asked.until.isoformat(),
        "why": asked.why,
    }
    audit.note(connection, action, f"silence {asked.number}", actor=who, now=now, details=details)
