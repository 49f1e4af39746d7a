"""Lines become keys: fast where they are good, with patience where they can be mended."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.decode import UndecodableError, decode, pick


class Shape(msgspec.Struct):
    """Two keys of any type."""

    a: object = None
    b: object = None


DECODER = msgspec.json.Decoder(Shape)


def read(raw: bytes) -> Shape | None:
    return decode(raw, DECODER, Shape)


@pytest.mark.parametrize(
    ("raw", "a"),
    [
        (b'{"a":1,"c":[2]}', 1),
        (b' \t{ "a" : 1 }  \r', 1),
        (b'{"\\u0061":"x"}', "x"),
        (b'{"a":"first","a":"last"}', "last"),
        (b'\xef\xbb\xbf{"a":1}', 1),
        (b'\x00\x00{"a":1}\x00', 1),
        (b'\x00\xef\xbb\xbf {"a":1}', 1),
        (b'@cee: {"a":1}', 1),
        (b'@cee:{"a":1}', 1),
        (b'{"a":"\xffx"}', "\ufffdx"),
        (b'{"a":"\xed\xa0\x80"}', "\ufffd\ufffd\ufffd"),
        (b'{"a":"x\x01\x1by"}', "x\x01\x1by"),
        (b'{"a":"\\ud83d"}', "\ud83d"),
        (b'{"a":"\\ud83d\\ude00"}', "😀"),
        (b'{"a":1,"c":NaN}', 1),
        (b'{"a":NaN}', None),
        (b'{"a":-Infinity}', None),
        (b'{"a":99999999999999999999}', 99999999999999999999),
        (b'{"a":' + b"9" * 5000 + b"}", None),
        (b'{"a":1,"c":' + b"9" * 5000 + b"}", 1),
        (b'{"a":1,"c":1e400}', 1),
    ],
)
def test_a_good_or_mendable_line_is_read(raw: bytes, a: object) -> None:
    assert read(raw) == Shape(a=a)


@pytest.mark.parametrize(
    "raw", [b"", b"  ", b"\r", b"null", b"true", b"17", b'"x"', b"[]", b'[{"a":1}]', b"\xef\xbb\xbf"]
)
def test_what_is_no_object_holds_nothing(raw: bytes) -> None:
    assert read(raw) is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x00\x00\x00", "nothing but NUL bytes"),
        (b'{"a":1}{"a":2}', "Extra data"),
        (b'{"a":"x', "Unterminated string"),
        (b'{"a":1,}', "not JSON"),
        (b"17/11/2026 -- 10:00 - <Notice>", "Extra data"),
        (b"/* x */ {}", "not JSON"),
        (b"{'a':1}", "not JSON"),
        ('{"a":1}'.encode("utf-16-le"), "not JSON"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"c":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_mended_says_why(raw: bytes, reason: str) -> None:
    with pytest.raises(UndecodableError, match=reason):
        read(raw)


def test_a_reason_holds_nothing_of_the_line() -> None:
    with pytest.raises(UndecodableError) as caught:
        read(b'{"secret": evil')
    assert "evil" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_pick_takes_the_named_keys_only() -> None:
    assert pick({"b": 1, "c": 2}, Shape) == Shape(b=1)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(UndecodableError):
        found = read(raw)
        assert found is None or isinstance(found, Shape)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON))
def test_patience_gives_the_same_as_the_fast_way(fields: dict[str, object]) -> None:
    """The two ways must not disagree: a NUL in front forces the slow one."""
    raw = msgspec.json.encode(fields)
    assert read(b"\x00" + raw) == read(raw)
