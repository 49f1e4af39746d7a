"""Addresses are read and written in one form, and what is none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.address import join, split


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("zeus.example:8443", ("zeus.example", 8443)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_what_is_read_is_what_is_written(address: str, parts: tuple[str, int]) -> None:
    assert split(address) == parts
    assert join(*parts) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "hub",
        "hub:",
        ":8443",
        "[]:8443",
        "hub:https",
        "hub:65536",
        "hub:-1",
        "hub:٣",
        "a hub:1",
        "a\x1b:1",
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split(address)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for address in (text, f"{text}:1", f"a:{text}"):
        try:
            host, port = split(address)
        except ValueError:
            continue
        assert split(join(host, port)) == (host, port)
