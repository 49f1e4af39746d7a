"""Fixtures for tests of whole programs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.programs import Stage, staged


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Give an empty stage for a hub, nodes and screens; whatever runs on it is ended with the test."""
    with staged(tmp_path / "stage") as made:
        yield made
