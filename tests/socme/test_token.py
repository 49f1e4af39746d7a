from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.errors import OperatorError
from socme.token import decode, encode
from socme.v1.enrollment_pb2 import EnrollmentToken, Role

TOKEN = EnrollmentToken(
    enrollment_address="hub.example:8444",
    hub_address="hub.example:8443",
    ca_sha256=bytes(range(32)),
    secret=bytes(range(16)),
    role=Role.ROLE_NODE,
)
LINE = encode(TOKEN)


def test_one_line_that_survives_a_terminal() -> None:
    """No character that a shell, a double click or a wrapped line could spoil."""
    assert LINE.startswith("socme1.")
    assert LINE.replace(".", "").replace("-", "").replace("_", "").isalnum()
    assert decode(LINE) == TOKEN
    assert decode(f"  {LINE[:20]}\n {LINE[20:]}\r\n") == TOKEN


@pytest.mark.parametrize("line", ["", "nonsense", "socme2.AAAA", LINE[1:], "töken"])
def test_no_token(line: str) -> None:
    with pytest.raises(OperatorError, match="not an enrolment token") as refusal:
        decode(line)

    assert "zeus token create" in refusal.value.mend


@pytest.mark.parametrize(
    "line",
    ["socme1.", "socme1.A", "socme1.AAAA", "socme1.AAAAAAAA", LINE[:-1], LINE + "A", "socme1.ä", "socme1.!"],
)
def test_a_token_that_was_cut(line: str) -> None:
    with pytest.raises(OperatorError, match="the token is damaged"):
        decode(line)


@given(st.integers(0, len(LINE) - 1), st.characters())
def test_a_changed_character_is_noticed(index: int, character: str) -> None:
    """Whatever it becomes, it is no other token."""
    changed = LINE[:index] + character + LINE[index + 1 :]
    with suppress(OperatorError):
        assert decode(changed) == TOKEN


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    for line in (text, f"socme1.{text}"):
        with suppress(OperatorError):
            decode(line)
