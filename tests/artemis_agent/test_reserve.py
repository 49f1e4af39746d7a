"""The last of a disk is left free; the spool's own free pages count."""

import os
from pathlib import Path

import pytest

from artemis_agent import reserve


@pytest.mark.parametrize(
    ("wanted", "reusable", "short"), [(0, 0, False), (1 << 60, 0, True), (1 << 60, 1 << 61, False)]
)
def test_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: int, reusable: int, *, short: bool
) -> None:
    monkeypatch.setattr(reserve, "RESERVE_BYTES", wanted)
    handle = os.open(tmp_path, os.O_RDONLY)

    assert ("of its disk are free" in reserve.shortage(handle, lambda: reusable)) == short

    os.close(handle)
