"""The hub as a whole: starting, stopping, being alone, saying how it is."""

import json
import socket
import stat
import time
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from socme.errors import OperatorError
from socme.service import Notifier
from socme.v1.watch_pb2 import WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.engines import lose, opened
from tests.zeus_hub.kit import Link, alert, connect, eventually, hub, ids, linked, settings
from zeus_hub import database, deliver, sqlite
from zeus_hub.hub import STUCK_SECONDS, Running, serve, works

pytestmark = pytest.mark.usefixtures("both")

SERVING = health_pb2.HealthCheckResponse.SERVING


def _nothing(running: Running) -> None:
    raise AssertionError(f"it started: {running}")


async def test_it_says_where_it_listens_and_writes_it_down(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        about = json.loads((tmp_path / "hub.json").read_text())
        addresses = zeus.running.listening

        assert about == {"hub": addresses.hub, "enrolment": addresses.enrolment}
        assert not addresses.hub.endswith(":0")
        assert addresses.hub != addresses.enrolment


@sqlite_alone
async def test_everything_that_it_writes_is_its_owners_alone(tmp_path: Path) -> None:
    async with hub(tmp_path / "state"):
        keys = [
            path for path in (tmp_path / "state").rglob("*") if path.suffix == ".db" or "key" in path.name
        ]

        assert len(keys) == 4
        assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


async def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for key in ("listen", "enroll_listen"):
            chosen = replace(settings(tmp_path), **{key: address})  # type: ignore[arg-type]
            with pytest.raises(OperatorError, match=address) as caught:
                await serve(chosen, Notifier(), _nothing)

            assert f"`{key}`" in caught.value.mend


async def test_a_second_hub_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with hub(tmp_path):
        with pytest.raises(OperatorError, match=r"another `zeus serve`"):
            await serve(settings(tmp_path), Notifier(), _nothing)


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match=r"state folder[^\n]*\n.*state_dir"):
        await serve(settings(tmp_path / "file" / "state"), Notifier(), _nothing)


async def test_health_answers_those_that_the_hub_knows(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        for machine in (await zeus.node(), await zeus.display(), zeus.operator()):
            async with connect(zeus.address, machine) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                for name in ("", "socme.v1.Uplink", "socme.v1.Watch"):
                    answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
                    assert answer.status == SERVING
                call = stub.Watch(health_pb2.HealthCheckRequest())
                assert (await call.read()).status == SERVING
                call.cancel()


async def test_it_stops_within_two_seconds_whoever_is_connected(tmp_path: Path) -> None:
    """A node that does not even read must not keep it."""
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        context = connect(zeus.address, node)
        link = Link(await context.__aenter__())
        await link.greet()
        began = time.monotonic()
    took = time.monotonic() - began
    link.call.cancel()
    await context.__aexit__(None, None, None)

    assert took < 2.0


async def test_a_watcher_that_reads_nothing_cannot_keep_it_from_stopping(tmp_path: Path) -> None:
    """The stream is in the middle of a write that nobody takes."""
    big = [alert(number, url="x" * 20_000) for number in range(400)]  # 8 MB, more than any window
    async with hub(tmp_path) as zeus:
        context = connect(zeus.address, zeus.operator())
        call = WatchStub(await context.__aenter__()).Alerts(WatchRequest())
        await call.read()
        async with linked(zeus.address, await zeus.node()) as link:
            for sequence in range(1, 41):
                await link.batch(sequence, big[10 * sequence - 10 : 10 * sequence])
            await link.until_acked(40)
        await eventually(lambda: len(zeus.stored()) == 400)
        began = time.monotonic()
    took = time.monotonic() - began
    call.cancel()
    await context.__aexit__(None, None, None)

    assert took < 2.0


async def test_a_restart_goes_on_with_what_the_store_has_not_read(tmp_path: Path) -> None:
    """The database is gone, the journal is not: everything is stored anew, and nothing twice."""
    alerts = [alert(number) for number in range(20)]
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            for sequence in range(1, 5):
                await link.batch(sequence, alerts[5 * sequence - 5 : 5 * sequence])
            await link.until_acked(4)
        await eventually(lambda: zeus.stored() == ids(alerts))
    lose(tmp_path)
    async with hub(tmp_path) as zeus:
        await eventually(lambda: zeus.stored() == ids(alerts))
        async with connect(zeus.address, node) as channel:
            error = await Link(channel).failure()

            assert error.code() is grpc.StatusCode.PERMISSION_DENIED, "certificates are not in the journal"


async def test_a_journal_that_was_lost_loses_nothing_that_comes_after(tmp_path: Path) -> None:
    """Positions begin anew: the store must not take the new ones for those that it has."""
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            for sequence in range(1, 6):
                await link.batch(sequence, [alert(sequence)])
            await link.until_acked(5)
        await eventually(lambda: len(zeus.stored()) == 5)
    _remove(tmp_path, "journal.db*")
    async with hub(tmp_path) as zeus, linked(zeus.address, node) as link:
        assert not link.welcome.marks
        await link.batch(6, [alert(6)])
        await link.until_acked(6)
        await eventually(lambda: zeus.stored()[-1] == alert(6).id)


async def test_a_commit_alone_has_alerts_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the store's own next look, which is only there in case."""
    monkeypatch.setattr(deliver, "CHECK_SECONDS", 3600.0)
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        for number in (1, 2):
            await link.batch(number, [alert(number)])
            await link.until_acked(number)
            await eventually(lambda number=number: len(zeus.stored()) == number)  # type: ignore[misc]


def _remove(folder: Path, names: str) -> None:
    for path in folder.glob(names):
        path.unlink()


@sqlite_alone
async def test_a_database_that_is_held_and_a_journal_that_is_damaged_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 10)
    async with hub(tmp_path) as zeus, linked(zeus.address, await zeus.node()) as link:
        for sequence in range(1, 41):
            await link.batch(sequence, [alert(sequence)])
        await link.until_acked(40)
    engine = opened(tmp_path)
    with database.writing(engine), pytest.raises(OperatorError, match="is locked"):
        await serve(settings(tmp_path), Notifier(), _nothing)
    engine.dispose()
    path = tmp_path / "journal.db"
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(OperatorError, match=r"journal[^\n]*malformed\n"):
        await serve(settings(tmp_path), Notifier(), _nothing)


@pytest.mark.parametrize(
    ("journal", "vigil", "works_"),
    [
        (0.0, 1.0, True),
        (STUCK_SECONDS, STUCK_SECONDS, True),
        (STUCK_SECONDS + 1, 0.0, False),
        (0.0, STUCK_SECONDS + 1, False),
    ],
)
def test_the_watchdog_is_fed_only_while_the_hub_does_its_work(
    journal: float,
    vigil: float,
    works_: bool,  # noqa: FBT001
) -> None:
    assert works(journal_seconds=journal, vigil_seconds=vigil) is works_
