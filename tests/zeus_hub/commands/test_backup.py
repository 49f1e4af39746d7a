"""The commands `zeus backup` and `zeus restore`."""

import asyncio
import shutil
from pathlib import Path

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.kept import make
from tests.zeus_hub.kit import alert, eventually, give, hub


@pytest.fixture
def hub_(place: Place) -> Place:
    make(place.state_dir)
    return place


def test_back_and_forth(hub_: Place, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    result = hub_.try_("backup", str(target))
    before = hub_.objects("alert", "list", "--json")

    assert result.stdout.startswith(f"{target}: 9 files, ")
    assert result.stderr == f"To put it back: zeus restore {target} --config {hub_.config}\n"
    shutil.rmtree(hub_.state_dir)
    again = hub_.try_("restore", str(target))
    assert again.exit_code == 0
    assert f"restored what the hub in {hub_.state_dir} was at 20" in again.stdout
    assert "revoke again what has been revoked since" in again.stderr
    assert hub_.objects("alert", "list", "--json") == before
    assert hub_.try_("ledger").exit_code == 0


def test_on_a_new_machine_the_settings_come_from_the_backup(hub_: Place, tmp_path: Path) -> None:
    """Relative paths in them are relative to where they will be."""
    hub_.run("backup", str(tmp_path / "copy"))
    fresh = Place(tmp_path / "fresh")
    assert fresh.try_("restore", str(tmp_path / "copy")).exit_code == 0

    assert fresh.config.read_text() == hub_.config.read_text()
    assert fresh.state_dir.is_dir()
    assert fresh.objects("alert", "list", "--json") == hub_.objects("alert", "list", "--json")


def test_what_is_there_is_kept(hub_: Place, tmp_path: Path) -> None:
    hub_.run("backup", str(tmp_path / "copy"))
    with pytest.raises(OperatorError, match="holds a hub already"):
        hub_.try_("restore", str(tmp_path / "copy"))
    told = hub_.run("restore", str(tmp_path / "copy"), "--force")

    assert "what was there has now names that end in .before-restore-" in told
    assert len(list(hub_.state_dir.glob("zeus.db.before-restore-*"))) == 1


def test_no_backup_is_refused(hub_: Place, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is no whole backup"):
        hub_.try_("restore", str(tmp_path), "--force")
    with pytest.raises(OperatorError, match="is no whole backup"):
        Place(tmp_path / "fresh").try_("restore", str(tmp_path / "nowhere"))


async def test_while_the_hub_runs(place: Place, tmp_path: Path) -> None:
    """A backup is taken; a restore is refused."""
    async with hub(place.state_dir) as zeus:
        machine = await zeus.node()
        await give(zeus, machine, [alert(1), alert(2)])
        await eventually(lambda: len(zeus.stored()) == 2)
        await asyncio.to_thread(place.run, "backup", str(tmp_path / "copy"))
        with pytest.raises(OperatorError, match="a hub runs with the state folder"):
            await asyncio.to_thread(place.try_, "restore", str(tmp_path / "copy"), "--force")
