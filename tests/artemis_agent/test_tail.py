"""What a tail gives of a file that is written, rotated, cut, deleted and brought back."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from artemis_agent.tail import Tail
from tests.artemis_agent.follower import Follower


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eve.json"


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def copytruncate(path: Path, copy: str) -> None:
    shutil.copyfile(path, path.with_name(copy))
    os.truncate(path, 0)


def test_a_new_source_starts_at_the_end(path: Path) -> None:
    append(path, b"old\n")
    follower = Follower(path, start="end")
    append(path, b"new\n")

    assert follower.read() == [b"new"]
    assert follower.lines[0][1] == 4


def test_a_new_source_that_starts_at_the_end_takes_the_line_that_is_being_written(path: Path) -> None:
    append(path, b"old\nhal")
    follower = Follower(path, start="end")
    append(path, b"f\n")

    assert follower.read() == [b"half"]


def test_a_new_source_starts_at_the_beginning_when_told(path: Path) -> None:
    append(path, b"old\n")

    assert Follower(path).read() == [b"old"]


def test_a_file_that_appears_later_is_read_from_its_beginning(path: Path) -> None:
    follower = Follower(path, start="end")

    assert follower.read() == []
    assert "eve.json" in follower.tail.problem

    append(path, b"first\n")

    assert follower.read() == [b"first"]
    assert follower.tail.problem == ""


def test_a_file_that_appears_while_the_agent_is_down_is_read_from_its_beginning(path: Path) -> None:
    follower = Follower(path, start="end")
    position = follower.tail.position
    follower.tail.close()
    append(path, b"first\n")
    follower.tail = Tail(path, start="end", position=position)

    assert follower.read() == [b"first"]


def test_a_folder_that_appears_later_is_followed(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "log" / "eve.json", start="end")
    (tmp_path / "log").mkdir()
    append(tmp_path / "log" / "eve.json", b"first\n")

    assert follower.read() == [b"first"]


def test_a_half_written_line_waits_for_its_end(path: Path) -> None:
    follower = Follower(path)
    append(path, b'{"a":')

    assert follower.read() == []

    append(path, b'1}\n{"b"')

    assert follower.read() == [b'{"a":1}']

    follower.restart()
    append(path, b":2}\n")

    assert follower.read() == [b'{"b":2}']


def test_a_restart_goes_on_where_it_was(path: Path) -> None:
    append(path, b"1\n2\n")
    follower = Follower(path)
    follower.read()
    follower.restart()
    append(path, b"3\n")

    assert follower.read() == [b"3"]
    assert len({file for file, _, _ in follower.lines}) == 1


def test_rename_rotation_gives_the_rest_the_stragglers_and_the_new_file(path: Path) -> None:
    """Suricata goes on in the renamed file until its next event after HUP."""
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    path.rename(path.with_name("eve.json.1"))
    path.touch()

    assert follower.read() == [b"2"]

    append(path.with_name("eve.json.1"), b"3\n")
    append(path, b"4\n")

    assert follower.read() == [b"3", b"4"]

    append(path.with_name("eve.json.1"), b"5\n")

    assert follower.read() == [b"5"]
    assert follower.tail.rotations == 1
    assert follower.tail.lost_bytes == 0


def test_the_old_file_is_left_when_it_is_quiet_and_the_new_one_has_data(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    path.rename(path.with_name("eve.json.1"))
    path.touch()
    follower.read()
    follower.after_grace()

    assert len(follower.tail.descriptors) == 2

    append(path, b"2\n")
    follower.read()
    follower.after_grace()

    assert len(follower.tail.descriptors) == 1


def test_the_whole_last_line_of_a_left_file_is_a_line_without_its_end(path: Path) -> None:
    append(path, b'1\n{"whole":true}')
    follower = Follower(path)
    follower.read()
    path.rename(path.with_name("eve.json.1"))
    append(path, b"2\n")

    assert follower.read() == [b"2"]
    assert follower.after_grace() == [b'{"whole":true}']
    assert follower.after_grace() == []


def test_half_a_last_line_of_a_left_file_never_ended(path: Path) -> None:
    append(path, b'1\n{"half":')
    follower = Follower(path)
    follower.read()
    path.rename(path.with_name("eve.json.1"))
    append(path, b"2\n")
    follower.read()
    follower.after_grace()

    (reject,) = follower.rejects
    assert (reject.head, reject.size, reject.offset, reject.reason) == (b'{"half":', 8, 2, "never ended")


def test_rename_while_the_agent_is_down(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    path.rename(path.with_name("eve.json-20261122"))
    append(path, b"3\n")
    follower.restart()

    assert follower.read() == [b"2", b"3"]
    assert follower.lines[0][0] == follower.lines[1][0] != follower.lines[2][0]


def test_rename_while_the_agent_is_down_and_the_new_file_begins_with_the_same_line(path: Path) -> None:
    append(path, b"same\n1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    path.rename(path.with_name("eve.json.1"))
    append(path, b"same\nlonger than what was read\n")
    follower.restart()

    assert follower.read() == [b"2", b"same", b"longer than what was read"]


def test_two_rotations_while_the_agent_is_down(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    path.rename(path.with_name("eve.json.2"))
    append(path, b"3\n")
    path.rename(path.with_name("eve.json.1"))
    append(path, b"4\n")
    follower.restart()

    assert follower.read() == [b"2", b"3", b"4"]


def test_two_rotations_while_the_agent_is_down_and_nothing_has_the_name_yet(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    path.rename(path.with_name("eve.json.2"))
    append(path, b"3\n")
    path.rename(path.with_name("eve.json.1"))
    follower.restart()

    assert follower.read() == [b"2", b"3"]


def test_two_rotations_between_two_looks(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    path.rename(path.with_name("eve.json.2"))
    append(path, b"2\n")
    path.rename(path.with_name("eve.json.1"))
    append(path, b"3\n")

    assert follower.read() == [b"2", b"3"]


def test_older_rotated_files_are_never_read(path: Path) -> None:
    append(path.with_name("eve.json.2"), b"ancient\n")
    os.utime(path.with_name("eve.json.2"), (1_000, 1_000))
    append(path.with_name("eve.json.1"), b"old\n")
    append(path, b"1\n")
    follower = Follower(path)

    assert follower.read() == [b"1"]

    path.with_name("eve.json.2").rename(path.with_name("eve.json.3"))
    path.with_name("eve.json.1").rename(path.with_name("eve.json.2"))
    path.rename(path.with_name("eve.json.1"))
    append(path, b"2\n")

    assert follower.read() == [b"2"]

    follower.restart()

    assert follower.read() == []


def test_copytruncate_after_everything_was_read(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    copytruncate(path, "eve.json.1")
    append(path, b"2\n")

    assert follower.read() == [b"2"]
    assert follower.lines[0][0] != follower.lines[1][0]
    assert (follower.tail.rotations, follower.tail.lost_bytes) == (1, 0)


def test_copytruncate_gives_the_unread_rest_from_the_copy_under_the_old_identity(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    copytruncate(path, "eve.json.1")
    append(path, b"3\n")

    assert follower.read() == [b"2", b"3"]
    assert follower.lines[1][:2] == (follower.lines[0][0], 2)
    assert follower.lines[2][1] == 0


def test_a_file_that_was_cut_and_grew_beyond_our_offset_is_noticed(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    copytruncate(path, "eve.json.1")
    append(path, b"three\nfour\n")

    assert follower.read() == [b"2", b"three", b"four"]


def test_a_file_that_is_cut_twice_between_two_looks(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    copytruncate(path, "eve.json.2")
    append(path, b"3\n")
    copytruncate(path, "eve.json.1")
    append(path, b"4\n")

    assert follower.read() == [b"2", b"3", b"4"]


def test_copytruncate_while_the_agent_is_down(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    copytruncate(path, "eve.json.1")
    append(path, b"three\n")
    follower.restart()

    assert follower.read() == [b"2", b"three"]
    assert follower.lines[0][0] == follower.lines[1][0] != follower.lines[2][0]


def test_a_file_that_was_cut_and_begins_with_the_same_line_gets_a_new_identity(path: Path) -> None:
    append(path, b"same\n1\n")
    follower = Follower(path)
    follower.read()
    copytruncate(path, "eve.json.1")
    append(path, b"same\n")

    assert follower.read() == [b"same"]
    assert follower.lines[0][0] != follower.lines[2][0]
    assert follower.gaps == []


def test_what_cannot_be_found_again_is_a_gap_when_it_was_looked_for_long_enough(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path, block=2)
    append(path, b"2\n3\n")
    follower.read(2)
    os.truncate(path, 0)
    append(path, b"4\n")

    assert follower.read() == [b"4"]
    assert follower.gaps == []

    follower.after_grace()
    follower.after_grace()
    (gap,) = follower.gaps

    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 4, 2)
    assert follower.tail.lost_bytes == 2


def test_a_power_cut_that_took_the_end_of_the_file_repeats_records_under_their_old_identity(
    path: Path,
) -> None:
    append(path, b"1\n2\n3\n")
    follower = Follower(path)
    follower.read()
    os.truncate(path, 4)
    follower.restart()
    append(path, b"4\n")

    assert follower.read() == [b"1", b"2", b"4"]
    assert follower.lines[:2] == follower.lines[3:5]


def link_day(path: Path, day: int) -> Path:
    """Do what Wazuh does at midnight."""
    dated = path.parent / "2026" / "Nov" / f"ossec-alerts-{day}.json"
    dated.parent.mkdir(parents=True, exist_ok=True)
    dated.touch()
    path.unlink(missing_ok=True)
    os.link(dated, path)
    return dated


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    return tmp_path / "alerts.json"


def test_wazuh_changes_the_day(alerts: Path) -> None:
    first = link_day(alerts, 21)
    append(first, b"1\n")
    follower = Follower(alerts)
    follower.read()
    append(first, b"2\n")
    second = link_day(alerts, 22)
    append(second, b"3\n")

    assert follower.read() == [b"2", b"3"]


def test_wazuh_compresses_yesterday_before_it_was_read_to_its_end(alerts: Path) -> None:
    """Wazuh does so ten seconds after midnight; our descriptor stays readable."""
    first = link_day(alerts, 21)
    append(first, b"1\n")
    follower = Follower(alerts)
    follower.read()
    append(first, b"2\n")
    append(link_day(alerts, 22), b"3\n")
    first.with_suffix(".json.gz").write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()

    assert follower.read() == [b"2", b"3"]


def test_wazuh_changes_the_day_while_the_agent_is_down(alerts: Path) -> None:
    append(link_day(alerts, 20), b"1\n")
    follower = Follower(alerts)
    follower.read()
    append(alerts, b"2\n")
    append(link_day(alerts, 21), b"3\n")
    append(link_day(alerts, 22), b"4\n")
    follower.restart()

    assert follower.read() == [b"2", b"3", b"4"]


def test_wazuh_takes_the_name_away_and_brings_it_back(alerts: Path) -> None:
    """A restart of the manager unlinks and links the same inode: no rotation."""
    first = link_day(alerts, 21)
    append(first, b"1\n")
    follower = Follower(alerts)
    follower.read()
    alerts.unlink()
    append(first, b"2\n")

    assert follower.read() == [b"2"]
    assert follower.tail.problem.startswith("No such file")

    link_day(alerts, 21)
    append(first, b"3\n")

    assert follower.read() == [b"3"]
    assert follower.tail.rotations == 0


@pytest.mark.parametrize("left", [False, True])
def test_wazuh_goes_back_to_the_day_before(alerts: Path, left: bool) -> None:  # noqa: FBT001
    append(link_day(alerts, 21), b"1\n")
    follower = Follower(alerts)
    follower.read()
    append(link_day(alerts, 22), b"2\n")
    follower.read()
    if left:
        follower.after_grace()
    append(link_day(alerts, 21), b"3\n")

    assert follower.read() == [b"3"]
    assert follower.lines[0][0] == follower.lines[2][0]


def test_a_file_that_is_deleted_is_read_to_its_end_and_the_new_one_from_its_beginning(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    with path.open("ab") as writer:
        path.unlink()
        writer.write(b"2\n")
        writer.flush()
        follower.read()
        append(path, b"3\n")
        follower.read()
        writer.write(b"4\n")

    follower.read()

    assert [line for _, _, line in follower.lines] == [b"1", b"2", b"3", b"4"]


def test_a_line_that_is_longer_than_a_block(path: Path) -> None:
    follower = Follower(path, block=100)
    append(path, b"a\n" + b"x" * 1000)

    assert follower.read() == [b"a"]

    append(path, b"y\nb\n")

    assert follower.read() == [b"x" * 1000 + b"y", b"b"]
    assert follower.lines[-1][1] == 1004


def test_a_file_that_may_not_be_read_is_read_once_it_may(path: Path) -> None:
    """Tests may run as root, who may read everything: a loop of links refuses everyone."""
    path.symlink_to(path)
    follower = Follower(path, start="end")
    follower.read()

    assert "symbolic links" in follower.tail.problem

    path.unlink()
    append(path, b"old\n")
    follower.read()
    append(path, b"new\n")

    assert follower.read() == [b"new"]
    assert follower.tail.problem == ""


def test_a_path_that_is_a_folder_is_a_problem_and_no_crash(path: Path) -> None:
    path.mkdir()
    follower = Follower(path)

    assert follower.read() == []
    assert "not a regular file" in follower.tail.problem
