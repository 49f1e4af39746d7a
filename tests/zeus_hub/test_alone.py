"""A state folder for one process alone."""

from pathlib import Path

import pytest

from socme.errors import OperatorError
from zeus_hub.alone import alone


def test_a_folder_that_is_held_is_refused_until_it_is_not(tmp_path: Path) -> None:
    with (
        alone(tmp_path),
        pytest.raises(OperatorError, match=r"a hub runs with.*\n.*Stop it"),
        alone(tmp_path),
    ):
        pass
    with alone(tmp_path):
        pass
