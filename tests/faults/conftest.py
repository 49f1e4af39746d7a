"""Runs the plays of these tests a few at a time: each mostly waits, and all of them must not take long.

A test names its play with a marker, `@pytest.mark.play(of=function, ...)`, and takes what it returned as
`outcome`. A play is `function(folder, ...)`; several tests may look at one and the same.
"""

import re
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

AT_ONCE = 4  # plays
Key = tuple[Callable[..., object], tuple[tuple[str, Hashable], ...]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "play(of, **arguments): what runs before the test looks at its outcome"
    )


def _play(item: pytest.Item) -> Key | None:
    marker = item.get_closest_marker("play")
    if marker is None:
        return None
    arguments = dict(marker.kwargs)
    return arguments.pop("of"), tuple(sorted(arguments.items()))


@pytest.fixture(scope="session")
def company(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Key, Future[Any]]]:
    """Begin the plays of all tests that are going to run, in their order."""
    futures: dict[Key, Future[Any]] = {}
    with ThreadPoolExecutor(AT_ONCE, "play") as pool:
        for item in request.session.items:
            key = _play(item)
            if key is not None and key not in futures:
                function, arguments = key
                name = re.sub(r"\W", "_", f"{function.__name__}_{dict(arguments)}")[:30]
                folder = tmp_path_factory.mktemp(name) / "run"
                futures[key] = pool.submit(function, folder, **dict(arguments))
        yield futures
        pool.shutdown(wait=True, cancel_futures=True)


@pytest.fixture
def outcome(request: pytest.FixtureRequest, company: dict[Key, Future[Any]]) -> object:
    """Wait for this test's play, and return what it returned."""
    key = _play(request.node)
    assert key is not None, "the test names no play"
    return company[key].result()
