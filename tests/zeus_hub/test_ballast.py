"""A little of the disk is kept for a start on a full one."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.disk import fill, small_disk
from tests.zeus_hub.kit import eventually
from zeus_hub import ballast

MIB = 1024 * 1024


async def kept(folder: Path, *, there: bool) -> None:
    """Keep the ballast until it is there, or for a few looks."""
    looks, look = 0, ballast._set_aside

    def counted(path: Path) -> str:
        nonlocal looks
        looks += 1
        return look(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ballast, "_set_aside", counted)
        patch.setattr(ballast, "LOOK_SECONDS", 0.01)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ballast.keep(folder))
            if there:
                await eventually((folder / ballast.NAME).exists)
            await eventually(lambda: looks >= 3)
            task.cancel()


async def test_it_is_given_back_when_it_is_needed_and_set_aside_again_when_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "small", 24 * MIB) as folder:
        await kept(folder, there=True)
        ballast.drop_where_needed(folder)
        assert (folder / ballast.NAME).stat().st_size == ballast.SIZE, "there is room: it stays"
        other = fill(folder, but=0)
        ballast.drop_where_needed(folder)
        assert os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize >= ballast.SIZE
        await kept(folder, there=False)
        assert not (folder / ballast.NAME).exists(), "it does not take the last room"
        other.unlink()
        await kept(folder, there=True)


async def test_a_folder_that_cannot_be_written_is_no_reason_to_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    ballast.drop_where_needed(tmp_path / "file" / "none")
    await kept(tmp_path / "file", there=False)

    assert "no room can be set aside" in caplog.text


async def test_one_that_was_left_empty_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / ballast.NAME).touch()
    await kept(tmp_path, there=True)

    assert (tmp_path / ballast.NAME).stat().st_size == ballast.SIZE
