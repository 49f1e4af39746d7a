"""Templates: shipped, or a site's own; what is wrong with one is told with its file and line."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from socme.errors import OperatorError
from tests.zeus_hub.receivers.notices import NIGHT, NOTICE, PARIS
from zeus_hub.receivers.rendering import LANGUAGES, MOST_OUT, SHIPPED, Language, Templates
from zeus_hub.receivers.wording import load


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site's folder of templates, with room for English ones."""
    (tmp_path / "en").mkdir()
    return tmp_path


def keys(table: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from keys(value, f"{above}{key}.")
        else:
            yield above + key


def said(language: Language) -> dict[str, Any]:
    return tomllib.loads((SHIPPED / language / "sentences.toml").read_text())


def test_both_languages_have_every_file() -> None:
    first, *others = ({path.name for path in (SHIPPED / language).iterdir()} for language in LANGUAGES)

    assert first
    assert others == [first]


def test_both_languages_have_every_sentence_and_none_is_empty() -> None:
    english, french = said("en"), said("fr")

    assert list(keys(english)) == list(keys(french))
    assert [key for each in (english, french) for key in keys(each) if not _at(each, key)] == []


def test_no_explanation_and_no_advice_was_left_untranslated() -> None:
    english, french = said("en"), said("fr")
    long = [key for key in keys(english) if key.startswith(("advice", "tactics")) and key[-5:] != ".name"]

    assert len(long) > 30
    assert [key for key in long if _at(english, key) == _at(french, key)] == []


def _at(table: dict[str, Any], path: str) -> object:
    value: Any = table
    for key in path.split("."):
        value = value[key]
    return value


def test_a_time_is_of_the_zone_and_says_how_far_it_is_from_utc() -> None:
    templates = Templates("en", PARIS)

    assert templates.when(NIGHT) == "2026-11-29 03:14:05 UTC+01:00"
    assert templates.when(datetime(2026, 7, 1, 22, tzinfo=UTC)) == "2026-07-02 00:00:00 UTC+02:00"


@pytest.mark.parametrize(("language", "number"), [("en", "10,000"), ("fr", "10\xa0000")])
def test_a_number_is_written_as_the_language_has_it(language: Language, number: str) -> None:
    assert number in load(language, PARIS).of(NOTICE).text


def test_a_site_s_file_takes_the_place_of_the_one_that_is_shipped(site: Path) -> None:
    (site / "en" / "subject.txt").write_text("Hello {{ notice.client_name }}")

    words = load("en", PARIS, site).of(NOTICE)

    assert words.subject == "Hello Acme Ltd"
    assert "WHAT HAPPENED" in words.text


def test_a_site_may_say_one_sentence_differently(site: Path) -> None:
    (site / "en" / "sentences.toml").write_text('[advice]\ncritical = "Ring 555."\n')

    text = load("en", PARIS, site).of(NOTICE).text

    assert "Ring 555." in text
    assert "See whether any login succeeded" in text


def test_a_site_without_the_language_has_what_is_shipped(site: Path) -> None:
    assert load("fr", PARIS, site).of(NOTICE) == load("fr", PARIS).of(NOTICE)


@pytest.mark.parametrize(
    ("template", "line", "reason"),
    [
        ("ok\n{% if %}", 2, "Expected an expression"),
        ("ok\nok\n{{ notice.nonsense }}", 3, "has no attribute 'nonsense'"),
        ("{{ nonsense }}", 1, "'nonsense' is undefined"),
        ("\n{{ notice.members[0].id }}", 2, "no element 0"),  # a notice may have none
        ("\n\n{{ ''.__class__.__mro__ }}", 3, "is unsafe"),
        ("\n{{ 1 / 0 }}", 2, "ZeroDivisionError"),
        ("{{ notice.count + 'x' }}", 1, "TypeError"),
    ],
)
def test_a_broken_template_is_found_at_load(site: Path, template: str, line: int, reason: str) -> None:
    path = site / "en" / "notice.txt"
    path.write_text(template)

    with pytest.raises(OperatorError, match=reason) as caught:
        load("en", PARIS, site)

    assert f"{path}, line {line}: " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notise.txt", b"x", "no template has this name"),
        ("notice.txt", b"\xff\xfe", "notice.txt: .*codec can't decode"),
        ("notice.txt", b"{% include 'other.txt' %}", "other.txt"),
        ("notice.txt", b"{% for x in range(99999) %}xxxxxxxxxx{% endfor %}", f"more than {MOST_OUT}"),
        ("sentences.toml", b"[advice]\nurgent = 'x'", "there is no sentence 'urgent'"),
        ("sentences.toml", b"advice = 'x'", "there is no sentence 'advice'"),
        ("sentences.toml", b"[severity.low]\nx = 'x'", "there is no table 'low'"),
        ("sentences.toml", b"[advice\n", "at line 1"),
        ("sentences.toml", b"\xff", "sentences.toml: "),
    ],
)
def test_whatever_else_is_wrong_is_told_with_the_file(
    site: Path, name: str, content: bytes, reason: str
) -> None:
    (site / "en" / name).write_bytes(content)

    with pytest.raises(OperatorError, match=reason):
        load("en", PARIS, site)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="there is no such folder"):
        Templates("en", PARIS, tmp_path / "none")


def test_a_part_of_the_site_s_own_can_be_included(site: Path) -> None:
    (site / "en" / "_mine.txt").write_text("mine")
    (site / "en" / "subject.txt").write_text("{% include '_mine.txt' %}")

    assert load("en", PARIS, site).of(NOTICE).subject == "mine"


def test_people_are_told_even_where_a_site_s_template_fails_with_what_nobody_tried(site: Path) -> None:
    path = site / "en" / "subject.txt"
    path.write_text("{{ 1 // (notice.count - 12) }}")
    wording = load("en", PARIS, site)

    words = wording.of(replace(NOTICE, count=12))

    assert words.subject.startswith("[CRITICAL]")
    assert [f"{path}, line 1: ZeroDivisionError" in each for each in words.warnings] == [True]


def test_what_is_shipped_and_fails_is_no_secret() -> None:
    templates = Templates("en", PARIS)

    with pytest.raises(UndefinedError):
        templates.render("subject.txt", {})
