"""The socme command itself; what the demo does is tested beside the demo."""

import pytest
from typer.testing import CliRunner

from socme import VERSION
from socme.__main__ import app


@pytest.mark.parametrize("arguments", [["demo", "now"], ["show"]])
def test_wrong_usage_is_told(arguments: list[str]) -> None:
    """With the exit code of usage, before anything is started."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert arguments[-1] in result.output


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"socme {VERSION}\n"
