"""Fixtures for all tests."""

import signal
from pathlib import Path

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.mounts import apart

REPOSITORY = Path(__file__).resolve().parent.parent
CORPORA = REPOSITORY.parent / "shared" / "corpora"
_HARNESS = "tests/faults/"


# A shell that starts the tests in the background has them ignore SIGINT, and all programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    apart()


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


class _ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Keeps what shares fixtures together where tests run side by side.

    A file's tests are done by one worker; those of the fault harness, which runs its plays side by side by
    itself, all by one.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the fault harness, then whatever is slow."""
    slow = {_group(item.nodeid) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (_group(item.nodeid) != _HARNESS, _group(item.nodeid) not in slow))


def _group(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return _HARNESS if file.startswith(_HARNESS) else file
