"""The store keeps the promises of a sink, shows an alert again exactly, and takes whatever comes."""

# ruff: noqa: D101, D102 - names say it, as for functions

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from socme.batch import Packed, pack
from socme.journal import Draft, Entry, Journal
from socme.v1.alert_pb2 import Alert
from tests.contracts.sink_suite import SinkSuite, deliver, journal_of, numbered
from tests.zeus_hub.engines import opened, url
from tests.zeus_hub.kit import alert
from zeus_hub import body, database, postgresql, sqlite
from zeus_hub.database import open_database, reading, writing
from zeus_hub.enrich import Unreadable, enrich
from zeus_hub.sinks import store
from zeus_hub.sinks.contract import Sink, SinkDownError
from zeus_hub.sinks.store import Store

pytestmark = pytest.mark.usefixtures("both")

JOURNAL = b"j" * 16
FULL = {
    "sqlite": "CREATE TRIGGER fails BEFORE UPDATE OF position ON sink"
    " BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    "postgresql": "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$;"
    "CREATE TRIGGER fails BEFORE UPDATE OF position ON sink FOR EACH ROW EXECUTE FUNCTION fails()",
}
GONE = {"sqlite": "DROP TRIGGER fails", "postgresql": "DROP TRIGGER fails ON sink"}


class TestStore(SinkSuite):
    def open(self, folder: Path) -> Sink[Any]:
        return Store(opened(folder), JOURNAL, last=100)

    def held(self, folder: Path) -> list[bytes]:
        with reading(opened(folder)) as connection:
            return list(
                connection.execute(select(database.alert.c.id).order_by(database.alert.c.number)).scalars()
            )


def test_an_alert_is_kept_whole(tmp_path: Path) -> None:
    """Columns for searching, and the message with its raw line exactly as it came."""
    made = alert(7, 3)
    made.source_endpoint.ip, made.source_endpoint.port = "192.0.2.1", 4711
    made.threat.technique_ids.extend(["T1059", "T1059", "T1110.001"])
    made.raw = b'{"bad":"\xff"}'
    rows = _stored(tmp_path, made)

    (row,) = rows
    assert body.decode(row["body"]) == made  # type: ignore[arg-type]
    assert (row["source_ip"], row["source_port"], row["rule_id"]) == ("192.0.2.1", 4711, "7")
    assert (row["severity"], row["count"], row["level"]) == (3, 1, None)
    assert row["time_us"] == made.time.ToMicroseconds()
    with reading(opened(tmp_path)) as connection:
        names = connection.execute(select(database.technique.c.id)).scalars().all()
    assert sorted(names) == ["T1059", "T1110.001"]


def test_long_texts_are_cut_in_their_columns_only(tmp_path: Path) -> None:
    made = alert(1)
    made.message, made.user = "m" * 100_000, "u" * 100_000
    (row,) = _stored(tmp_path, made)

    assert len(str(row["message"])) == store.LONGEST_TEXT
    assert len(str(row["user"])) == store.LONGEST_WORD
    assert body.decode(row["body"]) == made  # type: ignore[arg-type]


def _alerts() -> st.SearchStrategy[Alert]:
    """Return any alert that protobuf can carry, by way of bytes that nobody checked."""
    text = st.text(max_size=20)
    return st.builds(
        Alert,
        id=st.binary(max_size=20),
        severity=st.integers(-(2**31), 2**31 - 1),
        source=st.integers(-(2**31), 2**31 - 1),
        action=st.integers(-(2**31), 2**31 - 1),
        count=st.integers(0, 2**32 - 1),
        message=text,
        user=text,
        raw=st.binary(max_size=50),
        time=st.fixed_dictionaries(
            {"seconds": st.integers(-(2**63), 2**63 - 1), "nanos": st.integers(-(2**31), 2**31 - 1)}
        ),
        rule=st.fixed_dictionaries({"id": text, "level": st.integers(-(2**31), 2**31 - 1)}),
        threat=st.fixed_dictionaries({"technique_ids": st.lists(text, max_size=3)}),
        source_endpoint=st.fixed_dictionaries({"ip": text, "port": st.integers(0, 2**32 - 1)}),
    )


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(made=_alerts())
def test_nothing_that_an_alert_says_can_wedge_the_store(tmp_path: Path, made: Alert) -> None:
    assert _stored(tmp_path, made)


def test_what_cannot_be_read_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    sink = TestStore().open(tmp_path)
    entry = Entry(1, "acme/acme-1", 1, 1, 0, Packed(b"no zstd", 3, 5, 100))
    unreadable = enrich(entry)
    assert isinstance(unreadable, Unreadable)
    deliver(sink, [unreadable])
    with reading(opened(tmp_path)) as connection:
        (row,) = connection.execute(select(database.refused)).all()
        (state,) = connection.execute(select(database.sink)).all()

    assert (row.payload, row.origin, row.alerts, row.position) == (b"no zstd", "acme/acme-1", 5, 1)
    assert row.reason
    assert state.refused == 1


def test_only_the_newest_batches_that_were_set_aside_are_kept(tmp_path: Path) -> None:
    sink = TestStore().open(tmp_path)
    packed = Packed(b"", 3, 0, 0)
    deliver(
        sink, [Unreadable(Entry(n, "a/b", 1, n, 0, packed), "bad") for n in range(1, store.REFUSED_KEPT + 11)]
    )
    with reading(opened(tmp_path)) as connection:
        positions = connection.execute(select(database.refused.c.position)).scalars().all()
        refused = connection.execute(select(database.sink.c.refused)).scalar_one()

    assert list(positions) == list(range(11, store.REFUSED_KEPT + 11))
    assert refused == store.REFUSED_KEPT + 10


def test_repeated_alerts_are_counted(tmp_path: Path) -> None:
    sink = TestStore().open(tmp_path)
    deliver(sink, [enrich(entry) for entry in journal_of(tmp_path, [[1, 2], [2, 3], [1]])])
    with reading(opened(tmp_path)) as connection:
        assert connection.execute(select(database.sink.c.repeated)).scalar_one() == 2


def test_what_became_of_every_alert_is_counted_by_node(tmp_path: Path) -> None:
    """Stored, there already, proof of the way, or in a batch that cannot be read: there is no fifth."""
    sink = TestStore().open(tmp_path)
    entries = [enrich(entry) for entry in journal_of(tmp_path, [[1, 2, -3], [2, 4], []])]
    other = Unreadable(Entry(4, "beta/b-1", 1, 1, 0, Packed(b"no zstd", 3, 5, 100)), "damaged")
    deliver(sink, entries)
    deliver(sink, [*entries[1:2], other])

    assert tally(tmp_path) == {"acme-1": (3, 3, 1, 0, 0), "b-1": (0, 0, 0, 5, 0)}


def test_a_new_journal_is_counted_anew(tmp_path: Path) -> None:
    """The hub's account of what it took begins with its journal, and so does the store's; the rows stay."""
    entries = [enrich(entry) for entry in journal_of(tmp_path, [[1, 2]])]
    deliver(TestStore().open(tmp_path), entries)
    TestStore().open(tmp_path)
    assert tally(tmp_path) == {"acme-1": (2, 0, 0, 0, 0)}, "the same journal goes on"
    sink = Store(opened(tmp_path), b"k" * 16, 100)

    assert tally(tmp_path) == {"acme-1": (0, 0, 0, 0, 2)}
    deliver(sink, entries)
    assert tally(tmp_path) == {"acme-1": (0, 2, 0, 0, 2)}


@pytest.mark.parametrize(("journal", "last"), [(b"k" * 16, 100), (JOURNAL, 1)])
def test_a_journal_that_begins_anew_is_read_from_its_beginning(
    tmp_path: Path, journal: bytes, last: int
) -> None:
    """Another journal, or an older copy of it: what is stored already is recognised by its id."""
    entries = [enrich(entry) for entry in journal_of(tmp_path, [[1], [2]])]
    deliver(TestStore().open(tmp_path), entries)
    sink = Store(opened(tmp_path), journal, last)

    assert sink.position() == 0
    deliver(sink, entries)
    assert TestStore().held(tmp_path) == numbered(1, 2)


def test_a_position_and_its_rows_are_committed_together_or_not_at_all(tmp_path: Path) -> None:
    """The transaction fails at its very end: nothing of it may stay."""
    engine = opened(tmp_path)
    sink = Store(engine, JOURNAL, 100)
    with writing(engine) as connection:
        connection.exec_driver_sql(FULL[connection.dialect.name])
    entries = [enrich(entry) for entry in journal_of(tmp_path, [[1]])]
    with pytest.raises(SinkDownError, match="disk full"):
        deliver(sink, entries)

    assert TestStore().held(tmp_path) == []
    assert tally(tmp_path) == {}
    assert sink.position() == 0
    with writing(engine) as connection:
        connection.exec_driver_sql(GONE[connection.dialect.name])
    deliver(sink, entries)
    assert TestStore().held(tmp_path) == numbered(1)


def test_a_reader_does_not_keep_the_store_from_writing(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    sink = Store(engine, JOURNAL, 100)
    with reading(engine) as connection:
        assert connection.execute(select(database.alert.c.id)).all() == []
        deliver(sink, [enrich(entry) for entry in journal_of(tmp_path, [[1]])])

        assert connection.execute(select(database.alert.c.id)).all() == [], "one moment for all it reads"


def test_writers_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer waits for the first; it is refused only after the time that is set for it."""
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 10)
    monkeypatch.setattr(postgresql, "SESSION", ("-c lock_timeout=10ms",))
    other = open_database(url(tmp_path), tmp_path)
    with writing(opened(tmp_path)), pytest.raises(OperationalError, match="lock"), writing(other):
        pass
    with writing(other) as connection:
        connection.execute(update(database.client).values(enabled=False))
    other.dispose()


def tally(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return what is counted of each node: stored, repeated, canaries, unreadable, and rows before that."""
    node, counts = database.node, database.tally
    query = select(node.c.name, counts).join_from(counts, node)
    with reading(opened(folder)) as connection:
        return {row.name: tuple(row)[2:] for row in connection.execute(query)}


def _stored(folder: Path, made: Alert) -> list[dict[str, object]]:
    journal = Journal(folder / "one.db")
    (entry,) = journal.append([Draft("acme/acme-1", 1, 1, pack([made.SerializeToString()]))])
    journal.close()
    deliver(TestStore().open(folder), [enrich(entry)])
    with reading(opened(folder)) as connection:
        return [dict(row._mapping) for row in connection.execute(select(database.alert))]


def test_what_follows_repeated_alerts_is_stored_and_counted(tmp_path: Path) -> None:
    """Ids are looked up only once the table has refused one; new nodes in such a batch lose nothing by it."""
    sink = TestStore().open(tmp_path)
    for entry in journal_of(tmp_path, [[1, 2], [2, 3], [3, 4, 4], [5]]):
        deliver(sink, [enrich(entry)])
    with reading(opened(tmp_path)) as connection:
        (tally,) = connection.execute(select(database.tally)).all()

    assert TestStore().held(tmp_path) == numbered(1, 2, 3, 4, 5)
    assert (tally.stored, tally.repeated) == (5, 3)
