"""A notice in words: facts are there in both languages, and hostile text does nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from socme.text import UNSAFE
from tests.zeus_hub.receivers.notices import BAIT, GROUP, ID, LATER, NOTICE, PARIS, hostile
from zeus_hub.notice import Notice, Reason, Technique, Title
from zeus_hub.receivers.rendering import LANGUAGES, Language
from zeus_hub.receivers.wording import LONGEST_SHORT, LONGEST_SUBJECT, Wording, gsm, load, one_line

WORDINGS = {language: load(language, PARIS) for language in LANGUAGES}
FACTS = (
    "sshd: brute force",
    "sshd: root login",
    "Acme Ltd",
    "acme-1",
    "web-1",
    "db-9",
    "192.0.2.7",
    "198.51.100.1",
    "rule.id = 5712",
    "2026-11-29 03:14:05 UTC+01:00",
    "2026-11-29 03:15:05 UTC+01:00",
    "Europe/Paris",
    "T1110.001",
    "Password Guessing",
    f"zeus alert show {ID}",
    f"zeus alert ack --group {GROUP}",
)


class Page(HTMLParser):
    """What a page shows, and which elements it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(  # noqa: D102 - of HTMLParser
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:  # noqa: D102 - of HTMLParser
        self.text += data


@pytest.fixture(params=LANGUAGES)
def wording(request: pytest.FixtureRequest) -> Wording:
    language: Language = request.param
    return WORDINGS[language]


@pytest.mark.parametrize("fact", FACTS)
def test_a_person_reads_what_happened_where_how_often_and_what_to_do(wording: Wording, fact: str) -> None:
    words = wording.of(NOTICE)

    assert fact in words.text
    assert fact in Page(words.html).text or fact in Page(words.html).links


OWN = replace(
    NOTICE.members[0],
    source="socme",
    rule_id="socme.sink_stuck",
    message="socme/zeus: the receiver mail takes nothing: no <login> for zeus. See `zeus sink list`",
)


@pytest.mark.parametrize(
    ("language", "advice"), [("en", "how well SOCme watches"), ("fr", "la surveillance de SOCme elle-même")]
)
def test_what_socme_says_of_itself_is_told_whole_and_is_no_attack(language: Language, advice: str) -> None:
    words = WORDINGS[language].of(replace(NOTICE, members=(OWN,), techniques=(), severity=4))

    for told in (words.text, Page(words.html).text):
        assert OWN.message in " ".join(told.split())
        assert advice in told
        assert "network" not in told
        assert "réseau" not in told
    assert "<login>" not in words.html


def test_among_alerts_of_sensors_the_advice_is_theirs(wording: Wording) -> None:
    words = wording.of(replace(NOTICE, members=(OWN, NOTICE.members[0])))

    assert "zeus check" not in words.text
    assert OWN.message in words.text


def test_titles_have_their_counts(wording: Wording) -> None:
    assert re.search(r"9[,\xa0]990 x sshd: brute force", wording.of(NOTICE).text)


@pytest.mark.parametrize(
    ("language", "name", "meaning"),
    [
        ("en", "Credential Access", "somebody is after user names and passwords"),
        ("fr", "Vol d'identifiants", "quelqu'un cherche des noms d'utilisateur"),
    ],
)
@pytest.mark.parametrize("spelt", ["Credential Access", "credential-access", "Credential_Access"])
def test_a_tactic_is_explained_however_it_is_spelt(
    language: Language, name: str, meaning: str, spelt: str
) -> None:
    words = WORDINGS[language].of(replace(NOTICE, techniques=(Technique("T1110", "Brute Force", (spelt,)),)))

    for text in (words.text, Page(words.html).text):
        assert f"T1110 Brute Force ({name})" in text
        assert meaning in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_tactic_of_both_vocabularies_is_explained(language: Language) -> None:
    tactics = (
        "Reconnaissance", "Resource Development", "Initial Access", "Execution", "Persistence",
        "Privilege Escalation", "Defense Evasion", "Stealth", "Defense Impairment", "Credential Access",
        "Discovery", "Lateral Movement", "Collection", "Command and Control", "Exfiltration", "Impact",
    )  # fmt: skip
    known = WORDINGS[language]._templates.sentences["tactics"]

    assert {each.lower().replace(" ", "-") for each in tactics} == set(known)


def test_a_tactic_that_nobody_knows_is_named_all_the_same(wording: Wording) -> None:
    words = wording.of(replace(NOTICE, techniques=(Technique("T9999", "", ("Telepathy",)),)))

    assert "T9999 (Telepathy)" in words.text
    assert "Telepathy" in Page(words.html).text


@pytest.mark.parametrize(
    ("language", "reason", "word"),
    [
        ("en", "more", "more of the same"),
        ("en", "repeat", "still open"),
        ("en", "over", "over"),
        ("fr", "more", "cela continue"),
        ("fr", "repeat", "toujours ouvert"),
        ("fr", "over", "terminé"),
    ],
)
def test_why_it_is_told_is_in_the_subject_the_text_and_the_page(
    language: Language, reason: Reason, word: str
) -> None:
    words = WORDINGS[language].of(replace(NOTICE, reason=reason))
    first = WORDINGS[language].of(NOTICE)

    assert f"{word} " in words.subject or f"{word}:" in words.subject
    assert words.text.lower().startswith(word)
    assert word in Page(words.html).text.lower()
    assert word not in first.subject


def test_what_is_new_since_the_last_message_is_told(wording: Wording) -> None:
    assert re.search(r"10[,\xa0]000 alert\w+, (dont )?12 ", wording.of(LATER).text)


def test_what_is_over_asks_for_nothing(wording: Wording) -> None:
    words = wording.of(replace(NOTICE, reason="over"))

    assert f"zeus alert show {ID}" in words.text
    assert "alert ack" not in words.text + words.html + words.short


def test_a_notice_of_nothing_but_a_count_is_told_too(wording: Wording) -> None:
    bare = replace(
        NOTICE, titles=(), members=(), labels=(), techniques=(), observables=(), severity=0, count=1
    )

    words = wording.of(bare)

    assert re.search(r"1 alerte?\b", words.text)
    assert "zeus alert show" not in words.text
    assert f"zeus alert ack --group {GROUP}" in words.text
    assert "ATT&CK" not in words.text


def test_a_short_text_says_what_where_and_what_to_do(wording: Wording) -> None:
    short = wording.of(NOTICE).short

    for fact in ("CRITI", "Acme Ltd", "10000", "sshd: brute force", f"zeus alert ack --group {GROUP[:8]}"):
        assert fact in short


def test_a_short_text_keeps_its_command_however_long_the_rest_is(wording: Wording) -> None:
    long = replace(NOTICE, client_name="C" * 99, titles=(Title("t" * 300, 1),), count=10**9, reason="repeat")

    short = wording.of(long).short

    assert len(short) <= LONGEST_SHORT
    assert short.endswith(f"zeus alert ack --group {GROUP[:8]}")


def test_a_subject_is_one_line_whatever_a_site_s_template_makes() -> None:
    assert one_line("a\r\nBcc: b\x00\u2028c\td") == "a Bcc: b\ufffd c d"
    assert len(one_line("x" * 1000)) == LONGEST_SUBJECT


def test_letters_that_sms_has_not_are_replaced() -> None:
    assert gsm("Œuvre [é]\n{a|b} ^~`\\ ひ 😀") == "?uvre (e) (a/b) '-'/ ? ?"


@pytest.mark.parametrize("bait", BAIT)
def test_an_id_that_is_none_is_no_command(wording: Wording, bait: str) -> None:
    words = wording.of(replace(NOTICE, group=bait, members=(replace(NOTICE.members[0], id=bait),)))

    assert "zeus alert" not in words.text + words.html + words.short


def test_a_test_says_that_nothing_has_happened(wording: Wording) -> None:
    words = wording.test("night shift")

    assert "night shift" in words.text
    assert re.search("Nothing has happened|ne s'est rien passé", words.text)
    assert re.search("test|essai", words.subject)
    assert len(words.short) <= LONGEST_SHORT


HARMLESS = Page(WORDINGS["en"].of(NOTICE).html)


@settings(deadline=None, max_examples=50)
@given(hostile)
def test_hostile_text_becomes_no_markup_no_line_and_no_end(notice: Notice) -> None:
    for wording in WORDINGS.values():
        words = wording.of(notice)
        page = Page(words.html)

        assert not words.warnings
        assert page.tags <= HARMLESS.tags
        assert page.attributes <= HARMLESS.attributes
        assert all(link.startswith("https://attack.mitre.org/techniques/") for link in page.links)
        assert not UNSAFE.search(words.subject)
        assert len(words.subject) <= LONGEST_SUBJECT
        assert words.short.isascii()
        assert words.short.isprintable()
        assert len(words.short) <= LONGEST_SHORT
        assert not UNSAFE.search(words.text.replace("\n", " "))
        assert "\n\n\n" not in words.text
        assert len(words.text) < 60_000
