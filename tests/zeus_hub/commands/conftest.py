"""Fixtures for the commands of Zeus."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zeus_hub import engines
from tests.zeus_hub.commands.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return settings and nothing else yet."""
    return Place(tmp_path).set_up()


@pytest.fixture
def unused(place: Place) -> Place:
    """Return settings, where no hub was ever."""
    engines.blank(place.state_dir)
    return place.set_up()


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """Undo what a command does to the logs of its process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
