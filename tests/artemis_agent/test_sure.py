"""From where a source is read again when its spool is lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from artemis_agent import sure
from artemis_agent.held_rows import Opened
from artemis_agent.sure import Horizon, Sure


@dataclass
class Entries:
    """A spool of one lane: what it gave, and what it still holds."""

    epoch: bytes = b"e" * 16
    given: int = 0
    held: set[int] = field(default_factory=set)
    position: bytes = b"0"
    opened: Opened = frozenset()

    def positions(self) -> Mapping[str, bytes]:
        """Return where the source stands."""
        return {"eve.json": self.position}

    def holding(self) -> Opened:
        """Return the windows that hold something."""
        return self.opened

    def last(self) -> Mapping[int, int]:
        """Return the last sequence."""
        return {1: self.given}

    def holds_until(self, last: Mapping[int, int]) -> bool:
        """Tell whether one of them waits."""
        return any(each <= last[1] for each in self.held)

    def append(self) -> None:
        """Spool one more."""
        self.given += 1
        self.held.add(self.given)
        self.position = str(self.given).encode()


def test_it_comes_back(tmp_path: Path) -> None:
    known = Sure(b"e" * 16, {"/var/log/eve.json": b"\x00\xff"})
    sure.write(tmp_path, known)

    assert sure.read(tmp_path) == known
    assert [path.name for path in tmp_path.iterdir()] == [sure.NAME]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 9}', '{"format": 1, "epoch": 3}'])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / sure.NAME).write_text(text)

    assert sure.read(tmp_path) is None


def test_where_a_new_source_begins_is_sure_at_once_and_stays_so_until_more_is(tmp_path: Path) -> None:
    """Else a spool that is lost before the first acknowledgement would take up the file at its end."""
    spool, horizon = Entries(), Horizon(tmp_path)
    horizon.begin(spool, "eve.json", b"begin")
    horizon.begin(spool, "other.json", b"elsewhere")
    spool.append()
    horizon.look(spool)
    horizon.begin(spool, "eve.json", b"later")
    assert _position(tmp_path) == b"begin"

    spool.held = set()
    horizon.look(spool)
    known = sure.read(tmp_path)
    assert known is not None
    assert known.positions == {"eve.json": b"1", "other.json": b"elsewhere"}


def test_a_position_is_sure_once_all_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Also while more and more is spooled: a spool need never be empty."""
    spool, horizon = Entries(), Horizon(tmp_path)
    spool.append()
    spool.append()
    horizon.look(spool)
    assert _position(tmp_path) is None

    spool.append()
    spool.held = {2, 3}
    horizon.look(spool)
    assert _position(tmp_path) is None

    spool.held = {3}
    horizon.look(spool)
    assert _position(tmp_path) == b"2"

    spool.held = set()
    horizon.look(spool)
    assert _position(tmp_path) == b"3"


def test_no_position_is_sure_while_a_line_before_it_is_held(tmp_path: Path) -> None:
    """Nor before its roll-up is acknowledged; what is held since does not matter."""
    spool, horizon = Entries(opened=frozenset([("eve.json", b"k", 1, 1)])), Horizon(tmp_path)
    spool.position = b"held"
    horizon.look(spool)
    assert _position(tmp_path) is None

    spool.opened |= {("eve.json", b"other", 2, 2)}
    horizon.look(spool)
    assert _position(tmp_path) is None

    spool.opened = frozenset([("eve.json", b"other", 2, 2), ("eve.json", b"k", 3, 3)])
    spool.append()
    spool.position = b"later"
    horizon.look(spool)
    assert _position(tmp_path) is None

    spool.held = set()
    horizon.look(spool)
    assert _position(tmp_path) == b"held"

    spool.opened = frozenset()
    horizon.look(spool)
    assert _position(tmp_path) == b"later"


def test_a_new_epoch_keeps_what_was_sure(tmp_path: Path) -> None:
    sure.write(tmp_path, Sure(b"e" * 16, {"eve.json": b"7"}))
    spool = Entries(epoch=b"n" * 16, given=1, held={1})

    Horizon(tmp_path).look(spool)

    assert sure.read(tmp_path) == Sure(b"n" * 16, {"eve.json": b"7"})


def _position(folder: Path) -> bytes | None:
    known = sure.read(folder)
    return known.positions.get("eve.json") if known else None


def test_a_disk_that_does_not_take_it_is_told_until_it_does(tmp_path: Path) -> None:
    horizon = Horizon(tmp_path / "none")
    horizon.begin(Entries(), "eve.json", b"begin")

    assert horizon.problem == "sure.json cannot be written: No such file or directory"
    (tmp_path / "none").mkdir()
    horizon.begin(Entries(), "eve.json", b"begin")
    assert horizon.problem == ""
