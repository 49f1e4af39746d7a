"""A database on a server: how it is reached, that it may be away, and what is never said."""

import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError, InternalError, OperationalError

from socme.errors import OperatorError
from socme.identity import utc_now
from tests import postgres
from tests.postgres import PASSWORD, USER, Server
from tests.zeus_hub import engines
from tests.zeus_hub.alone import postgresql_alone
from tests.zeus_hub.commands import place as commands
from tests.zeus_hub.engines import on_postgresql, opened
from tests.zeus_hub.kept import make
from tests.zeus_hub.kit import alert, eventually, hub, ids, linked
from zeus_hub import database, deep, deliver
from zeus_hub.backup import Place, back_up
from zeus_hub.database import bare, named, open_database, reading, writing
from zeus_hub.postgresql import compare_bytes, copy, examine, follow, rows
from zeus_hub.restore import restore

pytestmark = [
    pytest.mark.usefixtures("both"),
    postgresql_alone,
]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return engines.DATABASES.server


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server that a test may stop."""
    with postgres.served() as made:
        made.run("postgres", "CREATE DATABASE zeus")
        monkeypatch.setattr(engines, "url", lambda _: made.url("zeus"))
        yield made


def over_tcp(server: Server, password: str = PASSWORD, query: str = "") -> str:
    """Return a URL that asks for a password."""
    secret = f":{quote(password)}" if password else ""
    return f"postgresql://{USER}{secret}@127.0.0.1:{server.port}/{engines.TEMPLATE}{query}"


def test_it_is_reached_over_the_network(server: Server, tmp_path: Path) -> None:
    engine = open_database(over_tcp(server), tmp_path)
    with reading(engine) as connection:
        assert connection.execute(select(database.client)).all() == []
    assert PASSWORD not in repr(engine)
    assert named(engine) == f"postgresql://{USER}@127.0.0.1:{server.port}/{engines.TEMPLATE}"
    engine.dispose()


def test_the_password_may_lie_in_a_file(server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "pgpass"
    secret.write_text(f"127.0.0.1:{server.port}:*:{USER}:{PASSWORD}\n")
    secret.chmod(0o600)
    open_database(over_tcp(server, "", f"?passfile={secret}"), tmp_path).dispose()


@pytest.mark.parametrize(
    ("password", "query", "words"),
    [
        ("wr0ng:secret", "", "password authentication failed"),
        ("wr0ng:secret", "?sslmode=require", "server does not support SSL"),
        ("wr0ng:secret", "?no_such_option=1", "no_such_option"),
        ("", "?password=wr0ng%3Asecret", "password authentication failed"),
    ],
)
def test_why_it_cannot_be_reached_is_told_without_the_password(
    server: Server, tmp_path: Path, password: str, query: str, words: str
) -> None:
    with pytest.raises(OperatorError, match=words) as told:
        open_database(over_tcp(server, password, query), tmp_path)

    assert f"postgresql://{USER}@127.0.0.1:{server.port}/" in str(told.value)
    assert "wr0ng" not in str(told.value)
    assert "\n" not in told.value.args[0]
    assert told.value.mend


def test_a_server_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        OperatorError, match=r"postgresql://u@127\.0\.0\.1:1/zeus: .*refused.*\n.*PostgreSQL runs"
    ):
        open_database("postgresql://u:geheim@127.0.0.1:1/zeus", tmp_path)


def test_a_parameter_that_there_is_not_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(
        OperatorError, match=r'address of the database .* is wrong: .*"sslmod"\n.*postgresql.md'
    ):
        open_database("postgresql://zeus@127.0.0.1/zeus?sslmod=require", tmp_path)


def test_a_user_that_may_make_nothing_there_is_told(server: Server, tmp_path: Path) -> None:
    where = engines.blank(tmp_path)
    server.run("postgres", "DROP ROLE IF EXISTS guest")
    server.run("postgres", "CREATE ROLE guest LOGIN")
    with pytest.raises(OperatorError, match=r"refuses: permission denied.*\n.*own the database"):
        open_database(where.replace(f"//{USER}@", "//guest@"), tmp_path)


def test_a_database_of_another_encoding_is_refused(server: Server, tmp_path: Path) -> None:
    server.run("postgres", "CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    with pytest.raises(OperatorError, match=r"encoding LATIN1\n.*ENCODING 'UTF8'"):
        open_database(server.url("latin"), tmp_path)
    server.run("postgres", "DROP DATABASE latin")


def test_a_dump_is_made_of_a_url_without_a_password() -> None:
    assert (
        bare("postgresql+psycopg://zeus:a@db/zeus?sslmode=verify-full&password=b&sslpassword=c")
        == "postgresql://zeus@db/zeus?sslmode=verify-full"
    )


def test_rows_that_are_copied_are_refused_as_inserted_ones_are(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        copy(connection, database.technique, [("T1", 1), ("T1", 1)])
    with writing(engine) as connection:
        copy(connection, database.technique, [("T1", 1), ("\N{SNOWMAN}\t\\N\n", 2**62)])

        assert connection.execute(
            select(database.technique).order_by(database.technique.c.alert_number)
        ).all() == [
            ("T1", 1),
            ("\N{SNOWMAN}\t\\N\n", 2**62),
        ]


def test_rows_come_back_as_they_were_copied_in_the_order_of_their_key(tmp_path: Path) -> None:
    """True and false as well, and without a sort, for which a large table would fill a disk."""
    clients = [(3, "b", "", True, 0, ""), (1, "B", "\N{SNOWMAN}", False, -(2**63), "")]
    techniques = [("\N{SNOWMAN}", 1), ("a", 2), ("B", 3), ("a", 1)]
    with writing(opened(tmp_path)) as connection:
        copy(connection, database.client, clients)
        copy(connection, database.technique, techniques)

        assert list(rows(connection, database.client)) == sorted(clients)
        assert list(rows(connection, database.technique)) == sorted(techniques)
        plan = connection.exec_driver_sql("EXPLAIN SELECT * FROM technique ORDER BY id, alert_number")
        assert "Sort" not in "".join(line for (line,) in plan)


def test_numbers_go_on_behind_the_highest(tmp_path: Path) -> None:
    """And where there is none, at the first."""
    made = insert(database.client).values(name="a", title="", enabled=True, created_us=0)
    with writing(opened(tmp_path)) as connection:
        follow(connection, database.client)
        follow(connection, database.technique)
        assert connection.execute(made.returning(database.client.c.id)).scalar_one() == 1
        copy(connection, database.client, [(70, "b", "", True, 0, "")])
        follow(connection, database.client)
        assert connection.execute(made.values(name="c").returning(database.client.c.id)).scalar_one() == 71


def test_texts_are_compared_by_their_bytes_whatever_the_database_speaks(tmp_path: Path) -> None:
    """So letters other than A to Z have no other case, as on SQLite. What is so already stays as it is."""
    client = database.client.c.name
    row = {"name": "\u00c4B", "title": "", "enabled": True, "created_us": 0}
    with writing(opened(tmp_path)) as connection:
        connection.execute(insert(database.client).values(row))
        for _ in range(2):
            others = connection.exec_driver_sql(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND collation_name IS DISTINCT FROM 'C' AND data_type IN ('text', 'character varying')"
                " AND table_name <> 'alembic_version'"
            )

            assert others.all() == []
            assert connection.execute(select(func.lower(client))).scalar_one() == "\u00c4b"
            compare_bytes(connection, database.METADATA.tables.keys())


def test_a_table_is_looked_at_with_all_its_indices(tmp_path: Path) -> None:
    with writing(opened(tmp_path)) as connection:
        connection.exec_driver_sql("CREATE EXTENSION amcheck")
        connection.execute(insert(database.client).values(name="a", title="a", enabled=True, created_us=0))
    seen: list[int] = []
    with reading(opened(tmp_path)) as connection:
        assert list(examine(connection, database.client, seen.append)) == []

    assert seen == [1, 1, 1], "one row; the key and the name"


async def test_while_the_database_is_away_alerts_are_acknowledged_and_stored_later(
    own: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is connected stays so."""
    monkeypatch.setattr(deliver, "LONGEST_PAUSE", 0.1)
    alerts = [alert(number) for number in range(6)]
    assert on_postgresql()
    with caplog.at_level(logging.INFO):
        async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
            await link.batch(1, alerts[:2])
            await link.until_acked(1)
            await eventually(lambda: len(zeus.stored()) == 2)
            postgres.stop(own)
            await link.batch(2, alerts[2:4])
            await link.until_acked(2)
            await eventually(lambda: "sink is down" in caplog.messages)
            server = postgres.again(own)
            await link.batch(3, alerts[4:])
            await link.until_acked(3)
            await eventually(lambda: "sink is back" in caplog.messages)
            await eventually(lambda: zeus.stored() == ids(alerts))
        engines.DATABASES.leave()
        postgres.stop(server)

    assert "Traceback" not in caplog.text


def test_whoever_reads_cannot_write(tmp_path: Path) -> None:
    """Who writes takes the lock of all that write; that must not be forgotten."""
    with reading(opened(tmp_path)) as connection, pytest.raises(InternalError, match="read-only transaction"):
        connection.execute(insert(database.technique).values(id="T1", alert_number=1))


def test_who_writes_and_is_cut_off_holds_up_nobody(tmp_path: Path) -> None:
    """Nothing of it stays, and the lock ends with its connection."""
    engine = opened(tmp_path)
    row = {"name": "a", "title": "a", "enabled": True, "created_us": 0}

    def cut_off() -> None:
        with writing(engine) as connection:
            connection.execute(insert(database.client).values(row))
            process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            engines.DATABASES.server.run("postgres", f"SELECT pg_terminate_backend({process}, 5000)")

    with pytest.raises(OperationalError, match="terminating"):
        cut_off()
    with writing(engine) as connection:
        assert connection.execute(select(database.client)).all() == []


def tool(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own tools."""
    subprocess.run([str(postgres.programs() / name), *arguments], check=True, timeout=60)


def place(folder: Path) -> Place:
    return Place(folder, folder / "zeus.db", folder.with_suffix(".toml"), engines.url(folder))


def test_a_backup_and_a_dump_make_a_hub_again(tmp_path: Path) -> None:
    """The dump, taken last, is restored first; the restore makes it fit the journal."""
    old, new, copy_, dump = (tmp_path / name for name in ("old", "new", "copy", "zeus.dump"))
    make(old)
    manifest = back_up(place(old), copy_, now=utc_now(), tell=lambda *_: None)
    tool("pg_dump", "--format=custom", f"--file={dump}", bare(engines.url(old)))
    engines.blank(new)
    with pytest.raises(OperatorError, match=r"there is no hub in postgresql://.*\n.*pg_restore"):
        restore(copy_, place(new), force=False, now=utc_now())
    tool("pg_restore", "--exit-on-error", f"--dbname={bare(engines.url(new))}", str(dump))
    restore(copy_, place(new), force=False, now=utc_now())

    assert "zeus.db" not in manifest.files
    assert not (new / "zeus.db").exists()
    found = [one for one in deep.examine(opened(new), new / "journal.db", lambda *_: None) if one.problems]
    assert found == []


def test_a_backup_of_another_kind_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "hub")
    back_up(place(tmp_path / "hub"), tmp_path / "copy", now=utc_now(), tell=lambda *_: None)
    file = tmp_path / "file"
    with pytest.raises(OperatorError, match=r"holds no database: it was on a server\n"):
        restore(tmp_path / "copy", Place(file, file / "zeus.db", tmp_path / "z"), force=False, now=utc_now())
    open_database("sqlite:///zeus.db", file).dispose()
    of_file = Place(file, file / "zeus.db", tmp_path / "z")
    back_up(of_file, tmp_path / "other", now=utc_now(), tell=lambda *_: None)
    with pytest.raises(OperatorError, match=r"holds a SQLite database, and store\.url names a server\n"):
        restore(tmp_path / "other", place(tmp_path / "hub"), force=True, now=utc_now())


def test_whoever_backs_up_is_told_of_the_dump_and_no_password(server: Server, tmp_path: Path) -> None:
    where = commands.Place(tmp_path).set_up(f'store.url = "{over_tcp(server)}"')
    where.run("client", "list")
    told = where.try_("backup", str(tmp_path / "copy")).stderr

    assert "The database is not in it" in told
    assert f"pg_dump --format=custom --file={tmp_path}/copy.dump postgresql://{USER}@127.0.0.1" in told
    assert PASSWORD not in told
