"""Fixtures for all tests."""

import signal
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
CORPORA = REPOSITORY.parent / "shared" / "corpora"


# A shell that starts the tests in the background has them ignore SIGINT, and all programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Real input with counted truth: other projects' data, which this repository does not carry."""
    if not (CORPORA / "dev" / "manifest.json").is_file():
        pytest.skip("the corpora of real input (../shared/corpora) are not here: they are others' work")
    return CORPORA


@pytest.fixture(scope="session")
def data() -> Path:
    """Input that this project made itself."""
    return REPOSITORY / "tests" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep what shares fixtures together where tests run side by side, and begin with what takes longest.

    A file's tests are done by one worker; those of the fault harness, which runs its plays side by side by
    itself, all by one.
    """
    slow = {_group(item) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: _group(item) not in slow)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    path = item.path.relative_to(REPOSITORY / "tests")
    return path.parts[0] if path.parts[0] == "faults" else str(path)
