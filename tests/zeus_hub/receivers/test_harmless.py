"""Whatever a notice says, it is on one line, and bounded."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

from hypothesis import given

from socme.text import UNSAFE
from tests.zeus_hub.receivers.notices import NOTICE, hostile
from zeus_hub.notice import Notice, Title
from zeus_hub.receivers.harmless import LONGEST, MOST, harmless


def strings(value: object) -> Iterator[str]:
    """Yield every text of a notice."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from strings(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from strings(getattr(value, each.name))


@given(hostile)
def test_no_text_of_a_notice_ends_a_line_or_is_without_end(notice: Notice) -> None:
    for text in strings(harmless(notice)):
        assert not UNSAFE.search(text)
        assert len(text) <= LONGEST


def test_what_was_harmless_stays_as_it_is() -> None:
    assert harmless(NOTICE) == NOTICE


def test_a_list_is_bounded() -> None:
    many = replace(NOTICE, titles=(Title("x", 1),) * (MOST + 1))

    assert len(harmless(many).titles) == MOST
