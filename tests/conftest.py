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
