"""Tests mirror modules, sizes are bounded, and every setting and command is documented."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

import artemis_agent.__main__
import artemis_agent.config
import hermes_display.__main__
import hermes_display.config
import socme.__main__
import zeus_hub.__main__
import zeus_hub.config
from tests.conftest import REPOSITORY
from tests.packaging.tree import modules, name

LONGEST_MODULE = 400  # lines
LONGEST_FUNCTION = 35  # lines, its docstring not counted
UNMIRRORED = {
    "artemis_agent/source.py": "a contract: nothing in it runs",
    "socme/entry.py": "what a journal holds: nothing in it runs",
}
"""Modules without a test file of their own, and why."""
SETTINGS: dict[str, type[BaseModel]] = {
    "artemis": artemis_agent.config.ArtemisSettings,
    "zeus": zeus_hub.config.ZeusSettings,
    "hermes": hermes_display.config.HermesSettings,
}
COMMANDS = {
    "artemis": artemis_agent.__main__.app,
    "zeus": zeus_hub.__main__.app,
    "hermes": hermes_display.__main__.app,
    "socme": socme.__main__.app,
}


def mirror(module: Path) -> Path:
    """Return where the tests of a module stand."""
    inside = module.relative_to(REPOSITORY)
    return REPOSITORY / "tests" / inside.parent / f"test_{inside.stem.strip('_')}.py"


def test_every_module_has_a_test_file_of_its_own() -> None:
    missing = [
        f"{name(module)} -> {name(mirror(module))}"
        for module in modules()
        if module.stem != "__init__" and name(module) not in UNMIRRORED and not mirror(module).exists()
    ]

    assert not missing, "\n".join(missing)


def test_the_list_of_exceptions_is_true() -> None:
    assert [module for module in UNMIRRORED if not (REPOSITORY / module).exists()] == []
    assert [module for module in UNMIRRORED if mirror(REPOSITORY / module).exists()] == []


def test_no_module_is_too_long_to_read_in_one_go() -> None:
    lengths = {name(module): len(module.read_text().splitlines()) for module in modules()}

    assert {module: length for module, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_every_module_is_on_the_map() -> None:
    """In docs/architecture.md, in the paragraph of its package, by its name or its folder's."""
    paragraphs = (REPOSITORY / "docs" / "architecture.md").read_text().split("\n\n")
    missing = []
    for module in modules():
        package, word = module.relative_to(REPOSITORY).with_suffix("").parts[:2]
        told = next(each for each in paragraphs if each.startswith(f"`{package}`:"))
        if not word.startswith("__") and f"`{word}`" not in told:
            missing.append(name(module))

    assert not missing, "\n".join(missing)


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every function with its length."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            docstring = (node.body[0].end_lineno or 0) - node.body[0].lineno + 1 if documented else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_no_function_is_too_long_to_see_at_once() -> None:
    long = [
        f"{name(module)}: {function}: {length}"
        for module in modules()
        if module.parent.name != "versions"  # a migration is a list of tables
        for function, length in functions(ast.parse(module.read_text()))
        if length > LONGEST_FUNCTION
    ]

    assert not long, "\n".join(long)


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield every setting with its docstring, nested ones with dots."""
    for key, field in model.model_fields.items():
        parts = (field.annotation, *getattr(field.annotation, "__args__", ()))
        tables = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        for table in tables:
            yield from keys(table, f"{prefix}{key}.")
        if not tables:
            yield prefix + key, field.description


def test_nothing_is_raised_where_a_group_is_caught() -> None:
    """Python before 3.11.4, Debian 12's own among them, puts a group around it: raise behind the `try`."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in modules()
        for group in ast.walk(ast.parse(path.read_text()))
        if isinstance(group, ast.TryStar)
        for handler in group.handlers
        for node in ast.walk(handler)
        if isinstance(node, ast.Raise)
    ]
    assert found == []


@pytest.mark.parametrize("program", SETTINGS)
def test_every_setting_says_what_it_means(program: str) -> None:
    assert [key for key, description in keys(SETTINGS[program]) if not description] == []


def section(document: str, program: str) -> str:
    """Return the part of a document under the heading that names a program."""
    parts = re.split(r"^## ", document, flags=re.MULTILINE)
    return "\n".join(part for part in parts if program in part.partition("\n")[0].lower())


@pytest.mark.parametrize("program", SETTINGS)
def test_every_setting_is_documented(program: str) -> None:
    """In docs/configuration.md, below "## <program>.toml", as `state_dir` or `filter.min_severity`."""
    written = section((REPOSITORY / "docs" / "configuration.md").read_text(), program)

    missing = [key for key, _ in keys(SETTINGS[program]) if f"`{key}`" not in written]

    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("program", SETTINGS)
def test_examples_of_settings_are_accepted(program: str) -> None:
    written = section((REPOSITORY / "docs" / "configuration.md").read_text(), program)
    examples = re.findall(r"^```toml\n(.*?)^```", written, re.MULTILINE | re.DOTALL)

    assert examples
    for example in examples:
        SETTINGS[program](**tomllib.loads(example))


def commands(app: typer.Typer, path: str) -> Iterator[str]:
    """Yield every command that does something, as it is typed."""
    group = typer.main.get_group(app)
    for word in group.commands:
        inner = next((each.typer_instance for each in app.registered_groups if each.name == word), None)
        yield from commands(inner, f"{path} {word}") if inner else [f"{path} {word}"]


@pytest.mark.parametrize("program", COMMANDS)
def test_every_command_is_documented(program: str) -> None:
    """In docs/commands.md, as `zeus alert list`, with or without arguments."""
    written = (REPOSITORY / "docs" / "commands.md").read_text()
    existing = list(commands(COMMANDS[program], program))

    assert existing
    missing = [command for command in existing if not re.search(rf"`{command}[` ]", written)]
    assert not missing, "\n".join(missing)
