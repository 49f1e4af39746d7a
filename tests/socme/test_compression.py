"""Compression with the shipped dictionary."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.normalise import Normalised, normalise
from artemis_agent.source import Kind, Record
from socme import compression
from tests.conftest import REPOSITORY

SECOND = (0x534F4302, "2ddff3fb0c083f120a8accab72ef4289376af9f4c36716aefd60ab4d8c84a300")


@pytest.mark.parametrize("compress", [compression.compress, compression.compress_well])
@given(st.binary(max_size=5000))
def test_what_is_compressed_comes_back(compress: Callable[[bytes], bytes], plain: bytes) -> None:
    frame = compress(plain)

    assert compression.decompress(frame, most=len(plain)) == plain
    assert zstandard.get_frame_parameters(frame).has_checksum
    assert zstandard.frame_content_size(frame) == len(plain)


@pytest.mark.parametrize("count", [0, 1, compression.MANY - 1, compression.MANY, 500])
def test_many_are_compressed_as_each_would_be(count: int) -> None:
    plains = [b"x" * (number % 7) + b"%d" % number * 50 for number in range(count)]

    assert compression.compress_all(plains) == [compression.compress(plain) for plain in plains]


def test_the_dictionary_that_nodes_have_is_not_changed() -> None:
    """Else their spools and the hub's journal could not be read any more."""
    number, digest = SECOND
    shipped = resources.files("socme").joinpath("alerts.zdict").read_bytes()

    assert hashlib.sha256(shipped).hexdigest() == digest
    assert zstandard.get_frame_parameters(compression.compress(b"a")).dict_id == number


def test_a_frame_without_a_dictionary_is_read() -> None:
    assert compression.decompress(zstandard.compress(b"older"), most=5) == b"older"


def test_one_with_a_dictionary_that_is_not_known_is_refused() -> None:
    other = zstandard.ZstdCompressionDict(
        zstandard.train_dictionary(1024, [b"%d of many" % number for number in range(9000)]).as_bytes()
    )
    frame = zstandard.ZstdCompressor(dict_data=other).compress(b"17 of many")

    with pytest.raises(zstandard.ZstdError, match=r"(?i)dictionary"):
        compression.decompress(frame, most=10)


def alerts(name: str, kind: Kind) -> list[tuple[bytes, int]]:
    """Return the alerts of a recording, serialised, each with the size of its line."""
    lines = (REPOSITORY / "tests" / "data" / name).read_bytes().splitlines()
    now = datetime(2026, 1, 2, tzinfo=UTC)
    found = [
        (
            normalise(
                Record(line, b"f" * 16, 9), kind=kind, origin=str(Path("/var/log") / name), observed=now
            ),
            line,
        )
        for line in lines
    ]
    return [
        (each.alert.SerializeToString(), len(line)) for each, line in found if isinstance(each, Normalised)
    ]


@pytest.mark.parametrize(("name", "kind"), [("eve.json", "suricata"), ("alerts.json", "wazuh")])
def test_a_lone_alert_takes_less_than_its_line(name: str, kind: Kind) -> None:
    """With all its fields, and each on its own."""
    found = alerts(name, kind)
    frames = sum(len(compression.compress_well(alert)) for alert, _ in found)
    lines = sum(size for _, size in found)

    assert frames < 0.35 * lines
    assert frames < 0.5 * sum(len(zstandard.compress(alert, 3)) for alert, _ in found)
    assert frames < sum(len(compression.compress(alert)) for alert, _ in found)


def test_threads_do_not_share_what_one_may_use_at_a_time() -> None:
    plains = [bytes([number]) * 10_000 for number in range(64)]
    with ThreadPoolExecutor(8) as threads:
        frames = list(threads.map(compression.compress_well, plains * 4))
        backs = list(threads.map(lambda frame: compression.decompress(frame, most=10_000), frames))

    assert backs == plains * 4
