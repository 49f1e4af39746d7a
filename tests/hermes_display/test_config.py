"""Settings of Hermes as they stand in a file."""

from pathlib import Path

import pytest

from hermes_display.config import HermesSettings
from socme.errors import OperatorError
from socme.settings import load


def test_an_empty_file_is_enough(tmp_path: Path) -> None:
    """Everything has a default; the wall is served on loopback only."""
    file = tmp_path / "hermes.toml"
    file.touch()
    settings = load(HermesSettings, file)
    assert settings.listen == "127.0.0.1:8080"
    assert settings.watch.clients == ()


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999", ":8080"])
def test_a_bad_address_is_told(tmp_path: Path, listen: str) -> None:
    """The key, the value and the mend are named."""
    file = tmp_path / "hermes.toml"
    file.write_text(f'listen = "{listen}"')
    with pytest.raises(OperatorError, match=r"listen: give .host:port.") as error:
        load(HermesSettings, file)
    assert listen in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('theme = "pink"', "wall.theme"),
        ('language = "xx"', "wall.language"),
        ("scale = 0.5", "wall.scale"),
        ("scale = 3", "wall.scale"),
        ('title = ""', "wall.title"),
        (f'title = "{"x" * 25}"', "wall.title"),
        ('sound = "loud"', "wall.sound"),
        ("colour = 1", "wall.colour"),
    ],
)
def test_how_the_wall_looks_is_checked(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "hermes.toml"
    file.write_text(f"[wall]\n{text}\n")
    with pytest.raises(OperatorError, match=told):
        load(HermesSettings, file)
