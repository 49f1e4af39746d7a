"""The command `zeus check`."""

import asyncio
import json
import shutil
import socket

import pytest

from socme.batch import Packed
from socme.errors import OperatorError
from socme.journal import Entry
from socme.service import Notifier
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.kept import change, make
from zeus_hub import deep, hub
from zeus_hub.commands import check
from zeus_hub.commands.state import read_plan
from zeus_hub.enrich import Unreadable
from zeus_hub.sinks.store import Store

pytestmark = pytest.mark.usefixtures("both")

NAMES = [
    *("settings", "certificate authority", "database", "journal", "disk", "routes", "ports", "addresses")
]


def lines(place: Place, *, failed: str | None = None) -> dict[str, str]:
    """Run the command; check that it judged all things, and only `failed` as bad."""
    result = place.try_("check")
    told = {}
    for line in result.stdout.splitlines():
        if not line.startswith(" "):
            verdict, rest = line[:6].strip(), line[6:]
            name, _, text = rest.partition(": ")
            told[name] = text
            assert verdict == ("FAIL" if name == failed else "ok"), line
    assert list(told) == NAMES
    assert result.exit_code == (1 if failed else 0)
    return told


def test_before_the_first_start(unused: Place) -> None:
    """Nothing is wrong, and nothing is made by looking."""
    told = lines(unused.set_up('listen = "127.0.0.1:0"'))

    assert told["certificate authority"] == told["database"] == "none yet, `zeus serve` makes it"
    assert not unused.state_dir.exists()


async def test_while_the_hub_runs(place: Place) -> None:
    settings = read_plan(place.set_up('listen = "127.0.0.1:0"').config)
    ready: asyncio.Future[hub.Running] = asyncio.get_running_loop().create_future()

    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        serve = group.create_task(hub.serve(settings, Notifier(), ready.set_result))
        address = (await ready).listening.hub
        told = await asyncio.to_thread(lines, place)
        serve.cancel()

    assert told["ports"] == f"the hub answers at {address}"
    assert "0 alerts in it are not in the database" in told["journal"]
    assert "good until" in told["certificate authority"]
    assert await asyncio.to_thread(check.ports, settings) == "free; no hub runs here now"


def test_batches_that_were_set_aside_are_told(place: Place) -> None:
    engine = place.set_up('listen = "127.0.0.1:0"').database()
    store = Store(engine, b"j" * 16, 1)
    assert "set aside" not in lines(place)["database"]
    store.send([Unreadable(Entry(1, "acme/acme-1", 1, 1, 0, Packed(b"", 3, 0, 0)), "damaged")])
    engine.dispose()

    assert lines(place)["database"].endswith("1 batches that could not be read were set aside")


def test_a_port_that_is_taken(place: Place) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        place.set_up(f'listen = "{address}"', 'enroll_listen = "127.0.0.1:0"')

        assert lines(place, failed="ports")["ports"].startswith(f"cannot listen on {address}")


def test_a_damaged_authority(place: Place) -> None:
    (place.set_up('listen = "127.0.0.1:0"').state_dir / "ca").mkdir(parents=True)

    assert "cannot be read" in lines(place, failed="certificate authority")["certificate authority"]


def test_rules_that_are_wrong_are_told(place: Place) -> None:
    place.set_up('listen = "127.0.0.1:0"')
    folder = place.folder / "routes.d"
    folder.mkdir()
    (folder / "a.toml").write_text('[receiver.soc]\nkind = "mail"\n')

    assert "a.toml:1: receiver.soc: host: this key is needed" in lines(place, failed="routes")["routes"]
    (folder / "a.toml").write_text('[[route]]\nname = "x"\nreceivers = ["nobody"]\n')
    assert "there is no [receiver.nobody]" in lines(place, failed="routes")["routes"]


def test_all_receivers_that_the_hub_would_refuse_are_told_at_once(place: Place) -> None:
    place.set_up('listen = "127.0.0.1:0"')
    folder = place.folder / "routes.d"
    folder.mkdir()
    (folder / "a.toml").write_text('[receiver.soc]\nkind = "mail"\n[receiver.phone]\nkind = "aprise"\n')

    told = place.try_("check").stdout
    assert "a.toml:1: receiver.soc: host: this key is needed" in told
    assert "a.toml:3: receiver.phone: there is no kind 'aprise'" in told


def test_a_report_whose_words_the_hub_would_refuse_is_told(place: Place) -> None:
    place.set_up('listen = "127.0.0.1:0"')
    words = place.folder / "routes.d" / "words" / "en"
    words.mkdir(parents=True)
    (words / "day.txt").write_text("{{ nothing")
    (place.folder / "routes.d" / "a.toml").write_text(
        """
[receiver.mail]
kind = "mail"
host = "mx"
sender = "zeus@soc.example"
to = ["soc@soc.example"]
templates = "words"
[[report]]
name = "daily"
kind = "day"
at = "07:30"
zone = "Europe/Paris"
receivers = ["mail"]
"""
    )

    assert "a.toml:8: report daily: " in lines(place, failed="routes")["routes"]


def test_what_is_odd_about_rules_is_no_fault(place: Place) -> None:
    """A secret that everybody can read, and a client that there is not."""
    place.set_up('listen = "127.0.0.1:0"')
    place.database().dispose()
    folder = place.folder / "routes.d"
    folder.mkdir()
    (folder / "push").write_text("json://127.0.0.1/very-secret")
    (folder / "push").chmod(0o666)
    (folder / "a.toml").write_text(
        '[receiver.soc]\nkind = "apprise"\nurl_file = "push"\n'
        '[[route]]\nname = "x"\nclients = ["acme", "acmee"]\nreceivers = ["soc"]\n'
    )

    told = place.try_("check").stdout
    assert "ok    routes: " in told
    assert (
        f"odd: {folder}/a.toml:1: receiver.soc: its secret is everybody's: chmod 600 {folder}/push\n" in told
    )
    assert f"odd: {folder}/a.toml:4: route x is for a client that there is not: acmee\n" in told
    (folder / "push").chmod(0o640)
    assert "everybody" not in place.try_("check").stdout


@sqlite_alone
def test_a_damaged_database(place: Place) -> None:
    place.set_up('listen = "127.0.0.1:0"').state_dir.mkdir()
    (place.state_dir / "zeus.db").write_bytes(b"no database" * 1000)

    assert "is damaged" in lines(place, failed="database")["database"]


def test_a_full_disk(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.set_up('listen = "127.0.0.1:0"')
    usage = shutil.disk_usage(place.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10 * 1024 * 1024))

    assert lines(place, failed="disk")["disk"].startswith("10 MiB free")


def test_everything_is_looked_at_on_request(place: Place) -> None:
    make(place.set_up('listen = "127.0.0.1:0"').state_dir)
    result = place.try_("check", "--deep")
    told = {line[6:].partition(": ")[0] for line in result.stdout.splitlines()}

    assert result.exit_code == 0
    assert told == {*NAMES, *(name for name, _ in deep.CHECKS)}
    assert "ok    alerts: 12 looked at\n" in result.stdout
    assert result.stderr == "", "progress is for those who watch"


def test_damage_is_told_with_what_to_do(place: Place) -> None:
    make(place.set_up('listen = "127.0.0.1:0"').state_dir)
    change(place.state_dir / "zeus.db", "UPDATE alert SET severity = 4")
    result = place.try_("check", "--deep")
    lines = result.stdout.split("FAIL")[1].splitlines()

    assert result.exit_code == 1
    assert lines[0] == "  alerts: 12 looked at"
    assert lines[1] == "    alert number 1: differs from its columns severity"
    assert lines[deep.EXAMPLES + 1 : deep.EXAMPLES + 3] == ["    and 2 more", f"    {check._MEND}"]
    assert place.try_("check").exit_code == 0


def test_days_for_a_client_that_there_is_not_are_told(place: Place) -> None:
    """A name that is mistyped would keep alerts for longer, or not for as long, than somebody believes."""
    place.set_up("[store.retention.clients.acmee]", "low = 7").database().dispose()
    result = place.try_("check")

    assert result.exit_code == 1
    assert "store.retention.clients names acmee, a client that there is not" in result.stdout


def test_before_the_first_start_there_is_nothing_to_look_at(place: Place) -> None:
    assert place.set_up('listen = "127.0.0.1:0"').try_("check", "--deep").exit_code == 0
    assert not place.state_dir.exists()


def test_as_json(place: Place) -> None:
    make(place.set_up('listen = "127.0.0.1:0"').state_dir)
    change(place.state_dir / "zeus.db", "UPDATE alert SET severity = 4 WHERE number = 2")
    result = place.try_("check", "--deep", "--json")
    told = {one["check"]: one for one in map(json.loads, result.stdout.splitlines())}

    assert result.exit_code == 1
    assert list(told) == [*NAMES, *(name for name, _ in deep.CHECKS)]
    assert told["ports"] == {"check": "ports", "ok": True, "told": "free; no hub runs here now"}
    assert told["alerts"] == {
        "check": "alerts",
        "ok": False,
        "looked": 12,
        "problems": 1,
        "examples": ["alert number 2: differs from its columns severity"],
    }


@sqlite_alone
def test_a_damaged_database_is_not_looked_at_any_deeper(place: Place) -> None:
    place.set_up('listen = "127.0.0.1:0"').state_dir.mkdir()
    (place.state_dir / "zeus.db").write_bytes(b"no database" * 1000)
    result = place.try_("check", "--deep")

    assert result.exit_code == 1
    assert "FAIL  deep: the database" in result.stdout


def test_bad_settings_are_told(place: Place) -> None:
    place.set_up('listen = "8443"')

    with pytest.raises(OperatorError, match="listen"):
        place.try_("check")
