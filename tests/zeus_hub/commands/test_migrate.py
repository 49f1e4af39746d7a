"""The command `zeus migrate`."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from socme.errors import OperatorError
from socme.service import Notifier
from tests.postgres import PASSWORD, USER
from tests.zeus_hub import engines
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.kit import hub
from tests.zeus_hub.stored import alert
from tests.zeus_hub.whole import empty
from zeus_hub import marker
from zeus_hub.commands.migrate import migrate
from zeus_hub.commands.state import read_plan
from zeus_hub.database import HEAD, METADATA, open_database, writing
from zeus_hub.hub import serve


@pytest.fixture
def here(place: Place) -> Place:
    """Return a hub in SQLite, with three alerts."""
    place.database([alert(number) for number in (1, 2, 3)]).dispose()
    engines.DATABASES.leave()
    return place


@pytest.fixture
def url() -> str:
    """Return an empty database, which asks for a password."""
    made = empty()
    name, port = make_url(made).database, engines.DATABASES.server.port
    return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{name}"


def bare(url: str) -> str:
    return url.replace(f":{PASSWORD}", "")


def test_everything_is_moved_and_it_says_what_to_do(here: Place, url: str) -> None:
    before = here.objects("alert", "list", "--json")
    result = here.try_("migrate", "--to", url)
    told = result.stdout.splitlines()

    assert result.exit_code == 0
    assert len(told) == len(METADATA.tables) + 1
    assert [line for line in told if line.startswith("alert: 3 rows, sha256 ")]
    assert told[-1] == f"10 rows in {len(METADATA.tables)} tables, the same on both sides"
    assert f'[store]\nurl = "{bare(url)}"\n' in result.stderr
    assert f"{here.state_dir}/zeus.db is left as it is" in result.stderr
    assert f"zeus check --deep --config {here.config}" in result.stderr
    assert PASSWORD not in result.output
    assert "\x1b" not in result.output, "nobody watches"
    here.set_up(f'store.url = "{url}"')
    assert here.objects("alert", "list", "--json") == before
    assert f"database: {bare(url)}, schema {HEAD}, 2 clients" in here.run("check")


def test_whoever_watches_sees_how_far_it_is(
    here: Place, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one line, which the outcome takes the place of."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    migrate(url, config=here.config)
    told = capsys.readouterr()

    assert "\r\x1b[Kalert: 3 of 3 rows copied" in told.err
    assert "\r\x1b[Kalert: 3 of 3 rows compared\r\x1b[K" in told.err
    assert "\x1b" not in told.out


def test_for_scripts_it_is_one_object(here: Place, url: str) -> None:
    (first,) = here.objects("migrate", "--to", url, "--json")
    (second,) = here.objects("migrate", "--to", url, "--json")

    assert first["to"] == bare(url)
    assert first["moved_before"] is None
    assert first["tables"]["alert"]["rows"] == 3
    assert len(first["tables"]["alert"]["sha256"]) == 64
    assert set(first["tables"]) == set(METADATA.tables)
    assert second["moved_before"] is not None
    assert second["tables"] == first["tables"]
    assert "was moved at 20" in here.run("migrate", "--to", url)


def test_what_is_not_the_same_is_told_per_table(
    here: Place, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeus_hub.move._copy", lambda *_: None)
    with pytest.raises(OperatorError, match="not the same: alert: the target lacks number 1; client: "):
        here.try_("migrate", "--to", url)


@pytest.mark.parametrize("command", [("client", "list"), ("check",), ("backup", "copy")])
def test_half_a_hub_is_used_by_no_command(here: Place, url: str, command: tuple[str, ...]) -> None:
    open_database(url, Path(), admit=_half).dispose()
    here.set_up(f'store.url = "{url}"')
    if command[0] == "check":
        assert "holds only a part of a hub" in here.try_(*command).output
    elif command[0] == "backup":  # which copies everything else, and looks at no database on a server
        assert here.try_("backup", str(here.folder / "copy")).exit_code == 0
    else:
        with pytest.raises(OperatorError, match=r"holds only a part of a hub.*\n.*zeus migrate --to"):
            here.try_(*command)


async def test_half_a_hub_is_served_by_nobody(here: Place, url: str) -> None:
    open_database(url, Path(), admit=_half).dispose()
    here.set_up(f'store.url = "{url}"')
    with pytest.raises(OperatorError, match=r"holds only a part of a hub.*\n.*zeus migrate --to"):
        await serve(read_plan(here.config), Notifier(), lambda _: None)


def _half(engine: Engine) -> None:
    with writing(engine) as connection:
        marker.make(connection, b"", 0)


async def test_while_the_hub_runs_it_is_refused(place: Place, url: str) -> None:
    async with hub(place.state_dir):
        with pytest.raises(OperatorError, match=r"a hub runs with the state folder.*\n.*Stop it first"):
            await asyncio.to_thread(place.try_, "migrate", "--to", url)


def test_where_no_hub_is_nothing_is_moved_and_nothing_made(place: Place, url: str) -> None:
    with pytest.raises(OperatorError, match="there is no hub in"):
        place.try_("migrate", "--to", url)

    assert not place.state_dir.exists()


def test_what_is_on_a_server_is_left_to_its_tools(here: Place, url: str) -> None:
    here.set_up(f'store.url = "{url}"')
    with pytest.raises(OperatorError, match="on a server already"):
        here.try_("migrate", "--to", url)


@pytest.mark.parametrize(
    "wrong", ["sqlite:///other.db", "mysql://u:geheim@h/y", "postgresql://u:geheim@[::1/y", "geheim"]
)
def test_a_target_that_is_none_is_refused_and_not_repeated(here: Place, wrong: str) -> None:
    result = here.try_("migrate", "--to", wrong)

    assert result.exit_code == 2
    assert "postgresql://USER@HOST/NAME" in result.output
    assert "geheim" not in result.output


def test_a_server_that_lets_nobody_in_is_told_without_the_password(here: Place, url: str) -> None:
    with pytest.raises(OperatorError, match="password authentication failed") as told:
        here.try_("migrate", "--to", url.replace(PASSWORD, "wr0ng"))

    assert "wr0ng" not in str(told.value)
