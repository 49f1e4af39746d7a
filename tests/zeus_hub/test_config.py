"""Settings of Zeus as they stand in a file."""

from pathlib import Path

import pytest

from socme.errors import OperatorError
from socme.settings import load
from zeus_hub.config import ZeusSettings


def test_an_empty_file_is_enough(tmp_path: Path) -> None:
    """Everything has a default."""
    file = tmp_path / "zeus.toml"
    file.touch()
    settings = load(ZeusSettings, file)
    assert settings.listen == "0.0.0.0:8443"
    assert settings.enroll_listen is None
    assert settings.store.url == "sqlite:///zeus.db"


def test_ipv6_is_an_address(tmp_path: Path) -> None:
    """In brackets, as everywhere."""
    file = tmp_path / "zeus.toml"
    file.write_text('listen = "[::]:8443"')
    assert load(ZeusSettings, file).listen == "[::]:8443"


def test_a_journal_too_small_for_anything_is_refused(tmp_path: Path) -> None:
    """The least is named."""
    file = tmp_path / "zeus.toml"
    file.write_text("[journal]\nkeep_bytes = 1000\n")
    with pytest.raises(OperatorError, match=r"journal.keep_bytes: .*1048576"):
        load(ZeusSettings, file)


def test_both_ports_cannot_be_one(tmp_path: Path) -> None:
    """Said before either is opened."""
    file = tmp_path / "zeus.toml"
    file.write_text('listen = "127.0.0.1:8443"\nenroll_listen = "127.0.0.1:8443"\n')
    with pytest.raises(OperatorError, match="enroll_listen must be another port than listen"):
        load(ZeusSettings, file)


def test_limits_of_conditions_are_checked(tmp_path: Path) -> None:
    """A share is no percentage."""
    file = tmp_path / "zeus.toml"
    file.write_text("[conditions]\nspool_share = 80\n")
    with pytest.raises(OperatorError, match=r"conditions.spool_share: .*less than or equal to 1"):
        load(ZeusSettings, file)
