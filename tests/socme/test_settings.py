"""Settings: what is read, what overrides it, and how each mistake is told."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from socme.errors import OperatorError
from socme.settings import Section, Settings, beside, load


class Table(Section):
    """A table."""

    name: str
    """A name."""


class Demo(Settings):
    """All of it."""

    model_config = SettingsConfigDict(env_prefix="DEMO_")

    number: Annotated[int, Field(ge=1)] = 7
    """A number."""
    table: Table = Table(name="none")
    """A table."""
    row: tuple[Table, ...] = ()
    """Many tables."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "demo.toml"


def test_defaults_file_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each overrides the one before."""
    config.write_text("")
    assert load(Demo, config).number == 7
    config.write_text('number = 8\n[table]\nname = "a"\n[[row]]\nname = "b"\n[[row]]\nname = "c"\n')
    assert load(Demo, config).number == 8
    assert [row.name for row in load(Demo, config).row] == ["b", "c"]

    monkeypatch.setenv("DEMO_NUMBER", "9")
    monkeypatch.setenv("DEMO_TABLE__NAME", "d")

    assert load(Demo, config).number == 9
    assert load(Demo, config).table.name == "d"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("numbr = 8", ["numbr", "no such key"]),
        ("[table]\nnam = 1", ["table.nam", "no such key", "table.name", "needed"]),
        ("number = 0", ["number", "greater than or equal to 1", "(it is 0)"]),
        ('number = "x"', ["number", "valid integer", "'x'"]),
        ("table = 1", ["table"]),
        ('[[row]]\nname = "a"\n[[row]]\nname = 2', ["row.1.name", "string"]),
        ("a = 1\nnumber = [", ["is not TOML"]),
        ("a = 1\na = 2", ["is not TOML"]),
    ],
)
def test_a_mistake_names_file_key_and_value(config: Path, text: str, words: list[str]) -> None:
    config.write_text(text)

    with pytest.raises(OperatorError) as refusal:
        load(Demo, config)

    told = str(refusal.value)
    assert str(config) in told
    assert [word for word in words if word not in told] == []
    assert refusal.value.mend


def test_all_mistakes_are_told_at_once(config: Path) -> None:
    config.write_text("number = 0\nmore = 1\n")

    with pytest.raises(OperatorError, match=r"(?s)number.*more|more.*number"):
        load(Demo, config)


def test_a_mistake_in_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value, and a list that is not JSON."""
    config.write_text("")
    monkeypatch.setenv("DEMO_NUMBER", "many")
    with pytest.raises(OperatorError, match="number"):
        load(Demo, config)

    monkeypatch.delenv("DEMO_NUMBER")
    monkeypatch.setenv("DEMO_ROW", "[nonsense")
    with pytest.raises(OperatorError, match="environment") as refusal:
        load(Demo, config)
    assert "DEMO_" in refusal.value.mend


def test_files_that_cannot_be_read(config: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="there is no settings file") as refusal:
        load(Demo, config)
    assert "--config" in refusal.value.mend
    with pytest.raises(OperatorError, match="cannot read"):
        load(Demo, tmp_path)
    config.write_bytes(b"\xff")
    with pytest.raises(OperatorError, match="cannot read"):
        load(Demo, config)


def test_settings_are_frozen(config: Path) -> None:
    config.write_text("")
    with pytest.raises(ValueError, match="frozen"):
        load(Demo, config).number = 9


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert beside(Path("sub/demo.toml"), Path("state")) == tmp_path / "sub" / "state"
    assert beside(Path("sub/demo.toml"), Path("/state")) == Path("/state")
