"""What was told, on disk."""

from pathlib import Path

import pytest

from artemis_agent import told
from artemis_agent.told import Told

SOME = Told(b"b" * 16, -7, (b"1" * 16, b"2" * 16), (1.5, 2.5))


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    told.write(tmp_path, SOME)

    assert told.read(tmp_path) == SOME
    assert (tmp_path / told.NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [told.NAME]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1, "book": 3}', "\x00"])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    """People are told twice then, which is better than not at all."""
    assert told.read(tmp_path) == Told()
    (tmp_path / told.NAME).write_text(text)

    assert told.read(tmp_path) == Told()
