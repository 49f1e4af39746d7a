import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.spiffe import NAME, Peer, Role, is_name, parse, uri

NAMES = st.from_regex(NAME, fullmatch=True)


@given(NAMES, st.sampled_from(Role), NAMES, NAMES)
def test_what_is_written_is_read(domain: str, role: Role, name: str, client: str) -> None:
    peer = Peer(domain, role, name, client if role is Role.NODE else "")

    assert parse(uri(peer)) == peer


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("acme", True),
        ("a", True),
        ("acme-1.example", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("Acme", False),
        ("acme-", False),
        ("-acme", False),
        ("ac me", False),
        ("acme/1", False),
        ("acme\n", False),
        ("äcme", False),
        ("..", False),
    ],
)
def test_names(text: str, good: bool) -> None:  # noqa: FBT001
    """A name may become a part of a path, a URI and a log line as it is."""
    assert is_name(text) is good


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spiffe://",
        "http://socme/client/acme/node/acme-1",
        "spiffe://socme/client/acme/node/",
        "spiffe://socme/client//node/acme-1",
        "spiffe://socme/client/acme/node/acme-1/more",
        "spiffe://socme/client/ACME/node/acme-1",
        "spiffe://socme/client/acme/display/d",
        "spiffe://socme/robot/r",
        "spiffe:///display/d",
        "spiffe://socme/client/../node/acme-1",
        "spiffe://socme/display/d\n",
        "SPIFFE://socme/display/d",
    ],
)
def test_what_is_not_ours_is_nobody(text: str) -> None:
    assert parse(text) is None


@given(st.text())
def test_any_text_is_a_peer_in_full_or_nobody(text: str) -> None:
    for each in (text, f"spiffe://{text}"):
        peer = parse(each)
        assert peer is None or uri(peer) == each
