"""What commands find in a state folder."""

import os
from pathlib import Path

import pytest

from socme.errors import OperatorError
from socme.identity import utc_now
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.commands.place import Place
from zeus_hub import database, registry, sqlite
from zeus_hub.commands.state import database_file, opened, read_plan, usable

pytestmark = pytest.mark.usefixtures("both")


def test_the_state_folder_is_beside_the_settings(place: Place) -> None:
    assert read_plan(place.config).state_dir == place.state_dir


@sqlite_alone
@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///zeus.db", "state/zeus.db"),
        ("sqlite:///sub/z.db", "state/sub/z.db"),
        ("sqlite://", "state/zeus.db"),
    ],
)
def test_where_the_database_is(place: Place, url: str, file: str) -> None:
    """It must be the file that is made."""
    settings = read_plan(place.set_up(f'store.url = "{url}"').config)

    assert database_file(settings) == place.folder / file
    with opened(settings, create=True):
        assert (place.folder / file).exists()


@sqlite_alone
def test_an_absolute_database(place: Place, tmp_path: Path) -> None:
    settings = read_plan(place.set_up(f'store.url = "sqlite:///{tmp_path}/z.db"').config)

    assert database_file(settings) == tmp_path / "z.db"


@sqlite_alone
def test_asking_makes_nothing(place: Place) -> None:
    settings = read_plan(place.config)

    with pytest.raises(OperatorError, match="there is no hub in"), opened(settings):
        pass
    assert not place.state_dir.exists()

    with opened(settings, create=True):
        pass
    with opened(settings) as engine:
        assert registry.list_clients(engine) == []


@sqlite_alone
def test_a_state_folder_that_is_a_file(place: Place) -> None:
    place.state_dir.touch()
    settings = read_plan(place.config)

    with (
        pytest.raises(OperatorError, match=r"cannot use the state folder .*state"),
        opened(settings, create=True),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@sqlite_alone
def test_a_state_folder_of_somebody_else(place: Place) -> None:
    place.database().dispose()
    place.state_dir.chmod(0)
    try:
        with pytest.raises(OperatorError, match="ermission denied"), opened(read_plan(place.config)):
            pass
    finally:
        place.state_dir.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@sqlite_alone
def test_root_leaves_nothing_behind_that_the_hubs_user_cannot_read(place: Place) -> None:
    place.state_dir.mkdir()
    os.chown(place.state_dir, 65534, -1)

    with pytest.raises(OperatorError, match="belongs to nobody") as told:
        place.try_("client", "add", "acme")

    assert "sudo -u nobody zeus" in told.value.mend
    assert list(place.state_dir.iterdir()) == []


def test_trouble_with_files_names_the_folder_and_the_mend(place: Place) -> None:
    with pytest.raises(OperatorError, match="Permission denied") as told, usable(read_plan(place.config)):
        raise PermissionError(13, "Permission denied")

    assert str(place.state_dir) in str(told.value)
    assert "sudo -u zeus" in told.value.mend


@sqlite_alone
def test_a_database_that_another_program_holds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 10)
    engine = place.set_up().database()
    with (
        database.writing(engine),
        pytest.raises(OperatorError, match=r"is locked\n.*no other program holds"),
        opened(read_plan(place.config)) as mine,
    ):
        registry.add_client(mine, "gamma", now=utc_now())
    engine.dispose()
