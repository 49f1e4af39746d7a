"""Free text finds what it means, and nothing else, whatever the index knows."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, update

from socme.errors import OperatorError
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.engines import on_postgresql
from tests.zeus_hub.stored import alert, database, keep
from zeus_hub import alerts, backfill, fts, purge, search, terms, tsvector
from zeus_hub import database as tables
from zeus_hub.alerts import Filters
from zeus_hub.database import reading, writing
from zeus_hub.schema import indexing

pytestmark = pytest.mark.usefixtures("both")

HOSTILE = (
    '"; DROP TABLE alert; --',
    "' OR 1=1",
    "a:b & !c | (d) <-> e:*",
    "NEAR(x y, 2) AND NOT z",
    "{w}^",
    "%_[*]?\\",
)
LETTERS = "aAbBé.*-_ [\\'\"%&:|!()/\t1"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def named(number: int, name: str, text: str = "", host: str = "", user: str = "") -> StoredAlert:
    """Return an alert that says something."""
    made = alert(number, name=name, text=text)
    made.alert.host.name, made.alert.user = host, user
    return made


def found(engine: Engine, text: str) -> list[int]:
    """Return the numbers of the alerts that are found."""
    return [
        int.from_bytes(one.alert.id) for one in alerts.find(engine, Filters(text=text), newest_first=False)
    ]


def index_all(engine: Engine) -> None:
    """Let the index know of everything."""
    while backfill.step(engine):
        pass


SOME = [
    named(1, "sshd: brute force", "Failed password for root from 10.0.0.7 port 22"),
    named(2, "ET SCAN Nmap", "see https://www.example.com/a?b=1", host="web01.example.com"),
    named(3, "Windows logon", r"ran C:\Windows\System32\cmd.exe /c", user="ACME\\j.doe"),
    named(4, "Échec de connexion", "mot de passe érroné", user="émile"),
    named(5, "* [not a pattern]? 100%", "x" * 300 + " " + "long" * 600),
    *(named(number, text) for number, text in enumerate(HOSTILE, 6)),
]


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password FAILED", [1]),
        ("pass", []),
        ("pass*", [1, 4]),
        ("sshd brute root", [1]),
        ("10.0.0.7", [1]),
        ("10.0.0", [1]),
        ("0.0.7", [1]),
        ("10.0.0.70", []),
        ("example.com", [2]),
        ("web01.example.com", [2]),
        ("web01.exam*", [2]),
        ("web01.exam", []),
        ("example.com/a?b=1", [2]),
        ("example/com", []),
        (r"c:\windows", [3]),
        (r"acme\j.doe", [3]),
        ("cmd.exe", [3]),
        ("Échec", [4]),
        ("Éch*", [4]),
        ("échec", []),
        ("nmap password", []),
        ("100%", [5]),
        ("[not a pattern]?", [5]),
        ("x" * 300, [5]),
        ("x" * 299, []),
        ("x" * 260 + "*", [5]),
        ("long" * 600, [5]),
        ("long" * 599, []),
        ("long" * 10 + "*", [5]),
        *((text, [number]) for number, text in enumerate(HOSTILE, 6)),
        ("%_", [11]),
        ("NOT", [5, 9]),
        ("", list(range(1, 12))),
    ],
)
def test_text_finds_what_it_means(engine: Engine, text: str, expected: list[int], *, indexed: bool) -> None:
    keep(engine, SOME)
    if indexed:
        index_all(engine)
    elif not on_postgresql():
        forget(engine, len(SOME))

    assert found(engine, text) == expected


def forget(engine: Engine, last: int) -> None:
    """Have SQLite's index know nothing, as in a database of before it, with so many alerts."""
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO alert_words (alert_words) VALUES ('delete-all')")
        connection.execute(update(indexing).values(number=last))


def model(text: str, said: Sequence[str]) -> bool:
    """Tell whether a text is found in what an alert says, the slow way."""
    low = {one: chr(one + 32) for one in range(65, 91)}
    for piece in re.split("[\t\n\v\f\r ]+", text.translate(low)):
        is_open = re.search(r"[a-z0-9\x80-\U0010ffff]\*\Z", piece) is not None
        term = piece[:-1] if is_open else piece
        before = r"(?<![a-z0-9\x80-\U0010ffff])" if re.match(r"[a-z0-9\x80-\U0010ffff]", term) else ""
        ends = not is_open and re.search(r"[a-z0-9\x80-\U0010ffff]\Z", term) is not None
        behind = r"(?![a-z0-9\x80-\U0010ffff])" if ends else ""
        if not any(re.search(before + re.escape(term) + behind, one.translate(low)) for one in said):
            return False
    return True


def empty(engine: Engine) -> None:
    """Take all alerts out, at once."""
    with writing(engine) as connection:
        connection.execute(delete(tables.alert))
        if on_postgresql():
            connection.exec_driver_sql("DELETE FROM alert_words")
            connection.execute(delete(indexing))
        else:
            connection.exec_driver_sql("INSERT INTO alert_words (alert_words) VALUES ('delete-all')")


@given(
    said=st.lists(st.text(LETTERS, max_size=12), min_size=1, max_size=20),
    texts=st.lists(st.text(LETTERS, max_size=6), max_size=10),
    indexed=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_finds_what_a_slow_look_at_each_alert_finds(
    engine: Engine, said: list[str], texts: list[str], *, indexed: bool
) -> None:
    """Hostile characters are text, on both databases, for what is indexed and for what is not."""
    empty(engine)
    keep(engine, [named(number, one, user="ab") for number, one in enumerate(said, 1)])
    if indexed:
        index_all(engine)

    for text in texts:
        expected = [number for number, one in enumerate(said, 1) if model(text, [one, "ab"])]
        assert found(engine, text) == expected, text


def test_few_alerts_are_looked_up_and_many_are_walked_along(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either way finds the same."""
    keep(engine, SOME)
    index_all(engine)
    with reading(engine) as connection:
        looked_up = str(search.condition(connection, "password", narrowed=True))
        for module in (fts, tsvector):
            monkeypatch.setattr(module, "PAGE", 0)
        walked = str(search.condition(connection, "password", narrowed=True))
        compared = str(search.condition(connection, "password", narrowed=False))

    assert looked_up != walked
    assert walked == compared
    assert found(engine, "password") == [1]


def test_what_came_behind_the_index_is_found_beside_what_is_in_it(engine: Engine) -> None:
    keep(engine, SOME)
    index_all(engine)
    keep(engine, [named(100, "another password")])

    assert found(engine, "password") == [1, 100]


def test_what_is_purged_is_forgotten(engine: Engine) -> None:
    keep(engine, SOME)
    index_all(engine)
    purge.take_out(engine, [1, 2])

    with reading(engine) as connection:
        assert known(connection, "password") == []
        assert known(connection, "pattern") == [5]
    assert found(engine, "password") == []
    assert found(engine, "pattern") == [5]


def test_what_is_purged_before_it_is_indexed_leaves_the_others_alone(engine: Engine) -> None:
    """To take words out that were never put in would hide those of others."""
    keep(engine, [named(number, "the same words") for number in range(1, 5)])
    if not on_postgresql():
        forget(engine, 4)
    purge.take_out(engine, [1, 3])
    index_all(engine)

    with reading(engine) as connection:
        assert known(connection, "same") == [2, 4]
    assert found(engine, "same") == [2, 4]


def known(connection: Connection, word: str) -> list[int]:
    """Return what the index alone knows."""
    query = (
        f"SELECT number FROM alert_words WHERE words @@ '{word}'::tsquery ORDER BY 1"
        if on_postgresql()
        else f"SELECT rowid FROM alert_words WHERE alert_words MATCH '{word}' ORDER BY 1"
    )
    return [row[0] for row in connection.exec_driver_sql(query)]


@pytest.mark.parametrize("indexed", [True, False])
def test_as_much_as_may_be_sought_is_found_and_more_is_refused(engine: Engine, *, indexed: bool) -> None:
    most = " ".join(f"{number}x" for number in range(terms.MOST_TERMS))
    keep(engine, [named(1, most), named(2, "["), named(3, "\U0001f5dd" * terms.LONGEST_TEXT)])
    if indexed:
        index_all(engine)

    assert found(engine, most) == [1]
    assert found(engine, "\U0001f5dd" * terms.LONGEST_TEXT) == [3]
    assert found(engine, "[" * terms.LONGEST_TEXT) == []
    with pytest.raises(OperatorError, match="at most 100 terms"):
        found(engine, " ".join(chr(0x4E00 + number) for number in range(1100)))
    with pytest.raises(OperatorError, match="at most 4096 characters"):
        found(engine, "x" * 60_000)
