"""A mail says the same twice, and nothing that an alert says becomes a header."""

from contextlib import suppress
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zeus_hub.receivers.notices import LATER, NIGHT, NOTICE, PARIS, hostile
from zeus_hub.notice import Notice
from zeus_hub.receivers.letter import address, compose
from zeus_hub.receivers.rendering import LANGUAGES
from zeus_hub.receivers.wording import Wording, Words, load, one_line

WORDINGS = [load(language, PARIS) for language in LANGUAGES]
SENDER = address("zeus@soc.example")
RECIPIENTS = [address("night@soc.example"), address("boss@acme.example")]
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
WORDS = WORDINGS[0].of(NOTICE)


def mailed(words: Words, *, key: str = "k.1", thread: str = "") -> EmailMessage:
    """Return a mail as it is read at the other end."""
    raw = compose(words, SENDER, RECIPIENTS, NIGHT, key=key, thread=thread).as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return message_from_bytes(raw, policy=default)


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return cast("str", found.get_content()).replace("\r\n", "\n").rstrip("\n")


def bare(line: str) -> str:
    """Return a line without its spaces: folding a header may lose or add some."""
    return "".join(line.split())


@pytest.mark.parametrize("word", ["=?utf-8?q?=0D=0ABcc:_a@example.org?=", "=?utf-8?b?DQpCY2M6IGFAYi5j?="])
def test_what_looks_encoded_is_not_decoded(word: str) -> None:
    mail = mailed(replace(WORDS, subject=f"alert {word} end"))

    assert "Bcc" not in mail
    assert bare(mail["Subject"]) == bare(f"alert {word} end")


def test_a_mail_has_the_words_as_text_and_as_a_page() -> None:
    mail = mailed(WORDS)

    assert mail.get_content_type() == "multipart/alternative"
    assert part(mail, "plain") == WORDS.text
    assert part(mail, "html") == WORDS.html
    assert mail["Subject"] == WORDS.subject


def test_no_line_is_longer_than_quoted_printable_allows() -> None:
    """RFC 2045, 6.7; and headers are folded so that they are no longer, either."""
    long = " ".join(f"été {number} an alert with a long name that is told" for number in range(50))
    words = replace(WORDS, subject=long[:200], text=long, html=f"<p>{long}</p>" + "x" * 500)
    raw = compose(words, SENDER, RECIPIENTS, NIGHT, key="k.1").as_bytes()

    assert max(map(len, raw.split(b"\r\n"))) <= 76
    assert part(message_from_bytes(raw, policy=default), "plain") == long


def test_letters_that_are_not_ascii_travel_as_ascii() -> None:
    """By any server, old ones too."""
    mail = mailed(replace(WORDS, text="été", html="<p>été</p>"))

    assert [each["Content-Transfer-Encoding"] for each in mail.iter_parts()] == ["quoted-printable"] * 2
    assert part(mail, "plain") == "été"


def test_words_without_a_page_are_text_alone() -> None:
    assert mailed(replace(WORDS, html="")).get_content_type() == "text/plain"


def test_it_says_who_when_and_that_no_person_wrote_it() -> None:
    mail = mailed(WORDS)

    assert mail["From"] == "SOCme <zeus@soc.example>"
    assert mail["To"] == "night@soc.example, boss@acme.example"
    assert mail["Date"].datetime == NIGHT
    assert mail["Auto-Submitted"] == "auto-generated"


def test_the_same_key_has_the_same_id_and_a_thread_holds_together() -> None:
    first, later = mailed(WORDS, key="g.1", thread="g.1"), mailed(WORDS, key="g.3", thread="g.1")

    assert first["Message-ID"] == "<g.1@soc.example>"
    assert first["References"] is None
    assert later["Message-ID"] == "<g.3@soc.example>"
    assert later["References"] == later["In-Reply-To"] == "<g.1@soc.example>"


def test_a_long_subject_that_is_not_ascii_arrives_whole() -> None:
    words = replace(WORDS, subject="É" * 70 + " " + "a" * 70)

    assert mailed(words)["Subject"] == words.subject


@settings(deadline=None, max_examples=50)
@given(hostile, st.sampled_from(WORDINGS))
def test_hostile_text_makes_no_header_and_no_part(notice: Notice, wording: Wording) -> None:
    words = wording.of(notice)

    mail = mailed(words, key=f"{notice.group}.{notice.number}", thread=f"{notice.group}.1")

    assert [name for name in mail if name not in {"In-Reply-To", "References"}] == HEADERS
    assert not mail.defects
    assert bare(mail["Subject"]) == bare(words.subject)
    assert [each.get_content_type() for each in mail.iter_parts()] == ["text/plain", "text/html"]
    assert part(mail, "plain") == words.text
    assert part(mail, "html") == words.html
    assert [each.addr_spec for each in mail["To"].addresses] == ["night@soc.example", "boss@acme.example"]


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_line_is_a_subject(subject: str) -> None:
    """The words come cleaned; what they are cleaned of is wording's own test."""
    line = one_line(subject)
    mail = mailed(replace(WORDS, subject=line))

    assert bare(mail["Subject"]) == bare(line)


@pytest.mark.parametrize(
    "text",
    [
        "", "soc", "soc@", "@soc.example", "a b@soc.example", "SOC <a@soc.example>", "a@b@c", "a@b.c,b@x",
        "a@soc.example\r\nBcc: b@x", "a@soc.example\x00", "ä@soc.example", "a@söc.example", "a@-", "a@x.",
        "a..@soc.example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a mail address"):
        address(text)


@given(st.text(max_size=40).map(lambda text: f"{text}@soc.example"))
def test_an_address_is_taken_as_it_is_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert address(text).addr_spec == text


def test_later_words_are_other_words() -> None:
    assert WORDINGS[0].of(LATER).subject != WORDS.subject
