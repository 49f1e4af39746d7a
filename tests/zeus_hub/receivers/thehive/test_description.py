"""The description of an alert: ours above the line, people's below it, and what it remembers."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.zeus_hub.receivers.thehive.notices import HOSTILE, UNHURRIED, hostile, notice, notices, texts
from zeus_hub.notice import Notice
from zeus_hub.receivers.thehive.description import LONGEST_REMARK, Told, described, told


@UNHURRIED
@given(notices, st.integers(0, 99_999), st.one_of(texts, st.sampled_from(HOSTILE)))
def test_a_description_tells_what_it_was_made_of(notice: Notice, number: int, remark: str) -> None:
    found = told(described(notice, number=number, remark=remark))

    assert found is not None
    assert found.number == number
    assert found.remark == re.sub("[\ud800-\udfff]", "\ufffd", remark).strip("\r\n")
    assert len(described(notice, number=number)) < 100_000


@UNHURRIED
@given(notices, texts)
def test_remarks_survive_any_number_of_changes(notice: Notice, remark: str) -> None:
    first = told(described(notice, number=1, remark=remark))
    assert first is not None

    second = told(described(notice, number=1, remark=first.remark))

    assert second == first


def test_editors_may_change_line_ends() -> None:
    text = described(notice(7), number=7, remark="Mine.").replace("\n", "\r\n")

    assert told(text) == Told(7, "high", "Mine.")


def test_a_description_without_the_line_or_with_too_much_below_it_is_people_s() -> None:
    line = described(notice(), number=1)

    assert told("All mine.") is None
    assert told("") is None
    assert told(f"> {line.splitlines()[-1]}") is None
    assert told(line + "x" * (LONGEST_REMARK + 1)) is None


def test_no_line_begins_with_what_an_alert_says() -> None:
    for text in HOSTILE:
        for line in described(hostile(text), number=1).splitlines():
            assert line == "" or line.startswith(("- ", "**", "12 alerts", "SOCme keeps")), line


def test_a_person_finds_what_happened() -> None:
    text = described(notice(2), number=2)

    for words in (
        "24 alerts, severity high.",
        "- Client: `Acme Ltd` (`acme`)",
        "- Latest: 2026-03-01 12:02:00 UTC",
        "- In common: `source.ip` is `203.0.113.7`",
        "- 24 of `sshd: brute force`",
        "- Technique `T1110.001` `Password Guessing`, of `Credential Access`",
        "from `203.0.113.7 port 4444`, to `10.0.0.5 port 22`, host `web-1`, user `root`",
    ):
        assert words in text
    assert described(notice(count=1), number=1).startswith("1 alert, ")
