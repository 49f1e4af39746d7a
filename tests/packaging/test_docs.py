"""The documents agree with the programs and tests: commands, options, settings, defaults, names of tests."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

import artemis_agent.command_line
import artemis_agent.config
import hermes_display.command_line
import hermes_display.config
import socme.__main__
import zeus_hub.command_line
import zeus_hub.config
from socme.commands import config_path
from tests.conftest import REPOSITORY
from tests.packaging.tree import name

DOCS = REPOSITORY / "docs"
SETTINGS: dict[str, type[BaseModel]] = {
    "artemis": artemis_agent.config.ArtemisSettings,
    "zeus": zeus_hub.config.ZeusSettings,
    "hermes": hermes_display.config.HermesSettings,
}
PROGRAMS: dict[str, TyperGroup] = {
    "artemis": typer.main.get_group(artemis_agent.command_line.app),
    "zeus": typer.main.get_group(zeus_hub.command_line.app),
    "hermes": typer.main.get_group(hermes_display.command_line.app),
    "socme": typer.main.get_group(socme.__main__.app),
}
COMMON = {"--config", "--help", "--version"}
"""Options that docs/commands.md names once, above its tables."""
UNITS = (("GiB", 1024**3), ("MiB", 1024**2))
TAIL_CASES = REPOSITORY / "tests" / "artemis_agent" / "test_tail_cases.py"


def read(document: str) -> str:
    return (DOCS / document).read_text()


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every row of the tables in a document, those of their heads too."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def options_in(text: str) -> set[str]:
    return set(re.findall(r"--[a-z][a-z-]*", text))


# Commands


def options(group: TyperGroup, path: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every command that does something, as it is typed, with its options."""
    for word, command in group.commands.items():
        typed = f"{path} {word}"
        if not isinstance(command, TyperGroup) or command.invoke_without_command:
            yield typed, {option for each in command.params for option in each.opts if option[0] == "-"}
        if isinstance(command, TyperGroup):
            yield from options(command, typed)


COMMANDS = {typed: known for program, group in PROGRAMS.items() for typed, known in options(group, program)}


def command_in(code: str) -> str | None:
    """Return the command in what stands between backticks: all of it where there is no such command."""
    if code.partition(" ")[0] not in PROGRAMS or " " not in code:
        return None
    return max((typed for typed in COMMANDS if f"{code} ".startswith(f"{typed} ")), key=len, default=code)


def documented_options() -> Mapping[str, set[str]]:
    """Return the options that docs/commands.md names for each command, in the rows that begin with it."""
    found: dict[str, set[str]] = {}
    for first, *rest in rows(read("commands.md")):
        for code in re.findall(r"`([^`]+)`", first):
            if command := command_in(code):
                found.setdefault(command, set()).update(options_in(" ".join((first, *rest))))
    return found


def test_every_command_is_documented_with_the_options_that_it_takes() -> None:
    """In a row of docs/commands.md that begins with it: these, and no others."""
    real = {typed: known - COMMON for typed, known in COMMANDS.items()}

    assert documented_options() == real


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_said_of_all_commands_is_true(program: str) -> None:
    """Above the tables: --config is of programs with settings, --version of the program alone."""
    told = read("commands.md").partition("\n## ")[0]
    mine = {typed: known for typed, known in COMMANDS.items() if typed.startswith(f"{program} ")}

    assert options_in(told) - {"--json", "--limit"} == COMMON
    assert {typed for typed, known in mine.items() if ("--config" in known) != (program in SETTINGS)} == set()
    assert (f"`{config_path(program)}`" in told) == (program in SETTINGS)
    assert [each.opts for each in PROGRAMS[program].params] == [["--version"]]


@pytest.mark.parametrize("path", [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))], ids=name)
def test_commands_that_are_named_exist(path: Path) -> None:
    """With the options that are named beside them."""
    code = re.findall(r"`([^`\n]+)`", path.read_text())
    named = {each: command for each in code if (command := command_in(each))}

    assert {
        each for each, command in named.items() if options_in(each) - COMMANDS.get(command, set())
    } == set()
    assert {each for each, command in named.items() if command not in COMMANDS} == set()


# Settings


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting, nested ones with dots."""
    for key, field in model.model_fields.items():
        parts = (field.annotation, *getattr(field.annotation, "__args__", ()))
        tables = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        for table in tables:
            yield from keys(table, f"{prefix}{key}.")
        if not tables:
            yield prefix + key, field


def section(program: str) -> str:
    """Return the part of docs/configuration.md under the heading that names a program's file."""
    return read("configuration.md").partition(f"\n## {program}.toml\n")[2].partition("\n## ")[0]


def written(field: FieldInfo) -> str | None:
    """Return how docs/configuration.md writes a default; None where it takes words to say what it means."""
    if field.is_required():
        return "needed"
    default = field.default
    if default is None or default == ():
        return None
    if isinstance(default, bool):
        return f"`{default}`".lower()
    if isinstance(default, int | float):
        unit, size = next(((unit, size) for unit, size in UNITS if default >= size), ("", 1))
        return f"{default / size:g} {unit}".strip()
    return f"`{default}`"


@pytest.mark.parametrize("program", SETTINGS)
def test_every_setting_says_what_it_means(program: str) -> None:
    assert [key for key, field in keys(SETTINGS[program]) if not field.description] == []


@pytest.mark.parametrize("program", SETTINGS)
def test_every_setting_is_documented_with_its_default(program: str) -> None:
    """In a row of its own of docs/configuration.md."""
    told = {first.strip("`"): default for first, default, _ in rows(section(program)) if first[0] == "`"}
    real = {key: written(field) for key, field in keys(SETTINGS[program])}

    assert told.keys() == real.keys()
    assert {key: default for key, default in told.items() if real[key] not in (default, None)} == {}


@pytest.mark.parametrize("program", SETTINGS)
def test_examples_of_settings_are_accepted(program: str) -> None:
    examples = re.findall(r"^```toml\n(.*?)^```", section(program), re.MULTILINE | re.DOTALL)

    assert examples
    for example in examples:
        SETTINGS[program](**tomllib.loads(example))


def test_the_number_of_sources_is_documented() -> None:
    assert f"1 to {artemis_agent.config.MOST_SOURCES} `[[source]]` tables" in section("artemis")


# Delivery


def cases_in(path: Path) -> set[str]:
    """Return the names of the test functions in a file."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_tests_that_are_named_exist() -> None:
    """By a path that can be typed; and behind `-k`, a word that some of its tests have in their names."""
    named = set(re.findall(r"([\w./-]*test_\w+\.py)(?: -k (\w+))?", read("delivery.md")))
    missing = {path for path, _ in named if not (REPOSITORY / path).is_file()}

    assert missing == set()
    assert {
        (path, word)
        for path, word in named
        if word and not any(word in test for test in cases_in(REPOSITORY / path))
    } == set()


def test_every_way_in_which_a_log_file_can_change_has_its_row() -> None:
    table = read("delivery.md").partition("\n## How a log file can change\n")[2].partition("\n## ")[0]
    named = [each for *_, last in rows(table) for each in re.findall(r"`(\w+)`", last)]

    assert {f"test_{each}" for each in named} == cases_in(TAIL_CASES)
    assert len(named) == len(set(named))


def test_decisions_are_in_the_order_of_their_dates() -> None:
    dates = re.findall(r"^\*\*(\d{4}-\d\d-\d\d): ", read("decisions.md"), re.MULTILINE)

    assert dates
    assert dates == sorted(dates)


# Raspberry Pi


def test_every_dependency_has_its_wheel_for_arm_listed() -> None:
    """After a change of the lock file: run scripts/arm64.sh and write down what it says."""
    lock = (REPOSITORY / "requirements-runtime.lock").read_text()
    locked = {
        name for name, rest in re.findall(r"^([\w.-]+)==(.*)", lock, re.MULTILINE) if "win32" not in rest
    }
    told = read("raspberry-pi.md").partition("\n## Wheels for 64-bit ARM\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^- for [^:]+: ((?:.*\n)(?:  .*\n)*)", told, re.MULTILINE)

    assert {name for names in listed for name in re.findall(r"[\w-]+", names)} == locked


def test_what_the_units_of_a_raspberry_pi_start_is_installed_there() -> None:
    told = read("raspberry-pi.md")
    units = [path.read_text() for path in (REPOSITORY / "systemd").glob("hermes-kiosk*.service")]
    (installed,) = re.findall(r"apt install (.*)", told)

    started = {name for unit in units for name in re.findall(r"[ =]/usr/bin/(\w+) ", unit)} - {"systemctl"}
    assert started == {"cage", "chromium", "curl"}
    assert started | {"seatd"} <= set(installed.split())
    assert {path.name for path in (REPOSITORY / "systemd").glob("hermes*.timer")} <= set(
        re.findall(r"[\w.-]+", told)
    )
