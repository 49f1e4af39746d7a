"""Tests mirror modules, sizes are bounded, and every module is on the map."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.packaging.tree import modules, name

LONGEST_MODULE = 400  # lines
LONGEST_FUNCTION = 35  # lines, its docstring not counted
UNMIRRORED = {
    "artemis_agent/progress.py": "what a spool is given: nothing in it runs",
    "artemis_agent/source.py": "a contract: nothing in it runs",
    "zeus_hub/box.py": "a contract: nothing in it runs",
    "socme/entry.py": "what a journal holds: nothing in it runs",
}
"""Modules without a test file of their own, and why."""


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
