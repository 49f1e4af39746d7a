"""Whether an address lies in a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_hub.routes.network import in_network, network


@pytest.mark.parametrize(
    ("address", "text", "inside"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "0.0.0.0/0", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("2001:db8::1", "2001:db8::/32", True),
        ("2001:db8::1", "10.0.0.0/8", False),
        ("10.1.2.3", "::/0", False),
        ("fe80::1%eth0", "fe80::/10", True),
        ("", "0.0.0.0/0", False),
        ("10.1.2", "0.0.0.0/0", False),
    ],
)
def test_an_address_lies_in_a_network_or_not(*, address: str, text: str, inside: bool) -> None:
    assert in_network(address, text) is inside


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "acme", "10.0.0.0/8 "])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits|netmask|Address"):
        network(text)


@given(st.text())
def test_no_text_for_an_address_fails(text: str) -> None:
    assert in_network(text, "10.0.0.0/8") in (True, False)
