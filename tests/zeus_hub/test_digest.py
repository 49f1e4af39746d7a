"""The day's digest and the month's page: honest arithmetic, in both languages."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socme.errors import OperatorError
from socme.v1.vitals_pb2 import Health
from tests.zeus_hub.receivers.notices import PARIS, texts
from tests.zeus_hub.receivers.test_wording import Page
from zeus_hub.digest import (
    UNKNOWN,
    Digests,
    Gap,
    Judged,
    NodeState,
    Report,
    Watched,
    duration,
    percent,
    watched,
)
from zeus_hub.health import SEEING, Moment
from zeus_hub.notice import Title
from zeus_hub.receivers.rendering import LANGUAGES, Language, Templates
from zeus_hub.receivers.wording import LONGEST_SHORT, LONGEST_SUBJECT

DIGESTS = {language: Digests(Templates(language, PARIS)) for language in LANGUAGES}
START = datetime(2026, 11, 30, 23, tzinfo=UTC)  # midnight in Paris
END = START + timedelta(days=31)
UP, LATE, DEGRADED = Health.HEALTH_UP, Health.HEALTH_LATE, Health.HEALTH_DEGRADED
BLIND, SILENT, UNSPECIFIED = Health.HEALTH_BLIND, Health.HEALTH_SILENT, Health.HEALTH_UNSPECIFIED
ALWAYS = watched([Moment(START, UP)], START, END)
QUIET = Report(
    client="acme",
    client_name="Acme Ltd",
    start=START,
    end=END,
    counts=(),
    titles=(),
    sources=(),
    judged=Judged(),
    watched=ALWAYS,
    nodes=(NodeState("acme-1", "up"),),
)
BUSY = replace(
    QUIET,
    counts=((4, 1), (3, 20), (1, 1300)),
    titles=(Title("sshd: brute force", 1200), Title("port scan", 121)),
    sources=(Title("192.0.2.7", 1190),),
    judged=Judged(
        acknowledged=15,
        true_positive=2,
        false_positive=1300,
        benign=17,
        duplicate=1,
        open=1,
        seconds_to_acknowledge=754.0,
    ),
)


def hours(count: float) -> datetime:
    return START + timedelta(hours=count)


def history(*changes: tuple[float, int, str]) -> list[Moment]:
    return [Moment(hours(since), health, reason) for since, health, reason in changes]


def facing(report: Report, language: Language = "en") -> tuple[str, str]:
    """Return the month's subject and text."""
    words = DIGESTS[language].month(report)
    return words.subject, words.text


# Arithmetic


def test_time_is_shared_out_among_the_states() -> None:
    seen = watched(
        history(
            (0, UP, ""), (10, LATE, "x"), (20, DEGRADED, "y"), (30, BLIND, "acme-1: no packets"), (40, UP, "")
        ),
        START,
        END,
    )

    assert dict(seen.spent) == {
        "up": timedelta(hours=714),
        "late": timedelta(hours=10),
        "degraded": timedelta(hours=10),
        "blind": timedelta(hours=10),
    }
    assert seen.seeing == timedelta(hours=734)
    assert seen.gaps == (Gap(hours(30), hours(40), "blind", "acme-1", "no packets"),)


def test_the_longest_gap_comes_first() -> None:
    changes = [(0, UP, ""), (1, SILENT, "a: x"), (2, UP, ""), (5, BLIND, "b: y"), (8, UP, "")]
    seen = watched(history(*changes, (9, SILENT, ""), (9.5, UP, "")), START, END)

    assert [gap.node for gap in seen.gaps] == ["b", "a", ""]


def test_one_gap_is_one_though_it_changes_its_kind() -> None:
    seen = watched(
        history(
            (0, UP, ""), (1, BLIND, "a: no packets"), (2, SILENT, "a: nothing was heard of it"), (9, UP, "")
        ),
        START,
        END,
    )

    assert seen.gaps == (Gap(hours(1), hours(9), "silent", "a", "nothing was heard of it"),)


def test_what_is_not_known_is_not_watched() -> None:
    late = watched(history((24, UP, "")), START, END)
    never = watched([], START, END)
    unheard = watched(history((0, UNSPECIFIED, "nothing was heard of it"), (24, UP, "")), START, END)

    assert late.seeing == unheard.seeing == timedelta(days=30)
    assert late.gaps == (Gap(START, hours(24), UNKNOWN),)
    assert not never.seeing
    assert dict(never.spent) == {UNKNOWN: timedelta(days=31)}


def test_what_was_before_and_comes_after_does_not_count() -> None:
    seen = watched(
        [
            Moment(START - timedelta(days=9), SILENT, "a: x"),
            *history((1, UP, "")),
            Moment(END, SILENT, "a: x"),
        ],
        START,
        END,
    )

    assert seen.gaps == (Gap(START, hours(1), "silent", "a", "x"),)


def test_a_gap_that_goes_on_ends_with_the_period() -> None:
    assert watched(history((0, UP, ""), (743, SILENT, "a: x")), START, END).gaps[0].end == END


_histories = st.lists(
    st.tuples(st.floats(-100, 900), st.sampled_from(sorted(Health.values()))), max_size=12
).map(lambda changes: [Moment(hours(since), health) for since, health in sorted(changes)])


@settings(deadline=None)
@given(_histories)
def test_all_time_is_accounted_for(moments: Sequence[Moment]) -> None:
    seen = watched(moments, START, END)
    unseen = sum((gap.end - gap.start for gap in seen.gaps), timedelta())

    assert seen.whole == END - START
    assert seen.seeing + unseen == seen.whole
    for one, other in pairwise(sorted(seen.gaps, key=lambda gap: gap.start)):
        assert one.end < other.start
    for minute in range(0, 744 * 60, 997):
        now = START + timedelta(minutes=minute)
        holds = [moment.health for moment in moments if moment.since <= now]
        seeing = bool(holds) and holds[-1] in SEEING
        assert seeing is not any(gap.start <= now < gap.end for gap in seen.gaps)


@pytest.mark.parametrize(
    ("missed", "english", "french"),
    [
        (timedelta(), "100.0%", "100,0\xa0%"),
        (timedelta(microseconds=1), "99.9%", "99,9\xa0%"),
        (timedelta(seconds=3), "99.7%", "99,7\xa0%"),
        (timedelta(seconds=1000), "0.0%", "0,0\xa0%"),
    ],
)
def test_a_share_is_never_rounded_up(missed: timedelta, english: str, french: str) -> None:
    whole = timedelta(seconds=1000)

    assert percent(whole - missed, whole, "en") == english
    assert percent(whole - missed, whole, "fr") == french


def test_of_no_time_nothing_was_watched() -> None:
    assert percent(timedelta(), timedelta(), "en") == "0.0%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (754, "12 min 34 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (86_399.9, "1 d")],
)
def test_a_length_of_time_is_told_in_two_units(seconds: float, text: str) -> None:
    units = {"day": "d", "hour": "h", "minute": "min", "second": "s"}

    assert duration(timedelta(seconds=seconds), {"units": units}) == text


# Words


def test_nothing_happened_and_we_were_watching() -> None:
    silent = history((0, UP, ""), (100, SILENT, "acme-1: nothing was heard of it"), (102, UP, ""))
    page = replace(QUIET, watched=watched(silent, START, END))

    subject, text = facing(page)

    assert subject == "[SOCme] Acme Ltd, December 2026: nothing happened, watched 99.7%"
    assert "Nothing happened: no alert came." in text
    assert "We were watching 99.7% of the time." in text
    assert "For 2 h we were not watching" in text
    assert "2026-12-05 04:00:00 UTC+01:00 - 2026-12-05 06:00:00 UTC+01:00 (2 h), acme-1" in text
    assert "nothing was heard of it" in text


def test_the_same_in_french() -> None:
    silent = history((0, UP, ""), (100, SILENT, "acme-1: rien"), (102, UP, ""))

    subject, text = facing(replace(QUIET, watched=watched(silent, START, END)), "fr")

    assert subject == "[SOCme] Acme Ltd, décembre 2026 : rien ne s'est passé, surveillé 99,7 %"
    assert "Nous avons surveillé 99,7\xa0% du temps." in text
    assert "Pendant 2 h, nous n'avons pas surveillé" in text


def test_who_watched_all_the_time_may_say_so() -> None:
    assert "There was no time in which we did not." in facing(QUIET)[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_did_not_watch_cannot_say_that_nothing_happened(language: Language) -> None:
    blind = watched(history((0, UP, ""), (300, BLIND, "acme-1: no packets")), START, END)

    subject, text = facing(replace(QUIET, watched=blind), language)

    assert not re.search("(?i)nothing happened|rien ne s'est passé, ", subject)
    assert re.search("40[.,]3", subject)
    assert re.search("no proof that nothing happened|ne prouve pas que rien ne s'est passé", text)


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        (Judged(false_positive=1320, benign=1), "none of them turned out to be an attack"),
        (Judged(false_positive=1319, open=2), "2 have not been judged yet"),
        (Judged(true_positive=2, open=5), "2 of 1,321 alerts turned out to be real"),
    ],
)
def test_the_month_says_what_alerts_turned_out_to_be(judged: Judged, said: str) -> None:
    assert said in facing(replace(BUSY, judged=judged))[1]


@pytest.mark.parametrize("counts", [(), BUSY.counts])
@pytest.mark.parametrize("language", LANGUAGES)
def test_of_what_is_not_kept_any_more_nobody_says_that_nothing_happened(
    language: Language, counts: tuple[tuple[int, int], ...]
) -> None:
    page = replace(BUSY, counts=counts, judged=Judged(false_positive=9), kept_since=hours(48), untold=True)

    words = DIGESTS[language].month(page)

    for text in (words.subject, words.text, Page(words.html).text):
        assert not re.search(
            "(?i)nothing happened|rien ne s'est passé|no(ne of them|ne\\.| alert)|aucune( n|\\.)", text
        )
    assert re.search(
        "not all known any more, watched 100|tout n'est plus connu, surveillé 100", words.subject
    )
    for text in (words.text, Page(words.html).text):
        assert re.search("2026-12-03 .* there may have been attacks|il a pu y avoir des attaques", text)
    assert "nothing happened" in facing(replace(page, untold=False))[0]


def test_what_is_known_comes_before_what_is_not() -> None:
    page = replace(BUSY, kept_since=hours(48), untold=True)

    assert facing(page)[0].endswith("2 real, watched 100.0%")
    assert facing(replace(page, judged=Judged(open=3)))[0].endswith("3 still open, watched 100.0%")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_day_has_all_its_figures(language: Language) -> None:
    day = replace(BUSY, end=START + timedelta(days=1), watched=watched([], START, START + timedelta(days=1)))

    words = DIGESTS[language].day(day)
    page = Page(words.html).text

    assert "2026-12-01" in words.subject
    for fact in (
        "sshd: brute force",
        "192.0.2.7",
        "12 min 34 s",
        "acme-1",
        "Europe/Paris",
        "0:00:00 UTC+01:00",
    ):
        assert fact in words.text
        assert fact in page
    for figure in ("1,200", "1,190", "1,300", "15", "17"):
        assert figure in words.text.replace("\xa0", ",")
        assert figure in page.replace("\xa0", ",")


def test_many_gaps_are_counted_and_the_longest_are_named() -> None:
    changes = [
        change for n in range(30) for change in ((n * 2, SILENT, "a: x"), (n * 2 + 1 + n / 100, UP, ""))
    ]

    text = facing(replace(QUIET, watched=watched(history(*changes), START, END)))[1]

    assert text.count("silent: nothing was heard of a node (x)") == 10
    assert "and 20 shorter ones" in text


@pytest.mark.parametrize("language", LANGUAGES)
@settings(deadline=None, max_examples=30)
@given(texts, texts, texts)
def test_hostile_text_does_no_harm(language: Language, one: str, two: str, three: str) -> None:
    digests = DIGESTS[language]
    gap = Gap(START, hours(3), "silent", one, two)
    hostile = replace(
        BUSY,
        client=one,
        client_name=two,
        titles=(Title(three, 1),) * 50,
        sources=(Title(one, 1),),
        nodes=(NodeState(two, "up"),),
        watched=Watched((("silent", timedelta(hours=3)),), (gap,)),
    )
    harmless = Page(digests.month(replace(BUSY, watched=Watched((("up", timedelta(hours=3)),), (gap,)))).html)

    for words in (digests.day(hostile), digests.month(hostile)):
        page = Page(words.html)
        assert page.tags <= harmless.tags
        assert page.attributes <= harmless.attributes
        assert page.links == []
        assert len(words.subject) <= LONGEST_SUBJECT
        assert words.subject.isprintable() or "\ufffd" in words.subject or " " in words.subject
        assert not re.search(r"[\r\n]", words.subject)
        assert len(words.short) <= LONGEST_SHORT
        assert len(words.text) < 60_000


def test_a_site_s_broken_page_is_found_at_load(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "month.html").write_text("ok\n{{ report.nonsense }}")

    with pytest.raises(OperatorError, match=r"month\.html, line 2: .*nonsense"):
        Digests(Templates("en", PARIS, tmp_path))
