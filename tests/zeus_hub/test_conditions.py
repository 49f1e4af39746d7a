"""What is wrong, given what is known."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socme.v1.alert_pb2 import Severity
from tests.zeus_hub.kit import limits
from zeus_hub import conditions
from zeus_hub.conditions import (
    HubFacts,
    LostCanary,
    NodeFacts,
    SinkFacts,
    SourceFacts,
    judge_hub,
    judge_node,
)

LIMITS = limits()
DAY = 86_400.0
SOURCE = SourceFacts(
    name="/var/log/suricata/eve.json",
    problem="",
    quiet_seconds=9,
    steady=True,
    lag_grows=False,
    drops=0,
    packets=100_000,
    still_seconds=0,
)
WELL = NodeFacts(
    shut_out=False,
    seen=True,
    heard=True,
    tells=True,
    quiet_seconds=4,
    interval_seconds=10,
    certificate_seconds=300 * DAY,
    spool_share=0.1,
    skew_seconds=0.2,
    sources=(SOURCE,),
)
HUB = HubFacts(
    sinks=(SinkFacts("store", "", 0),),
    free_bytes=100 * 2**30,
    journal_problem="",
    authority_seconds=3000 * DAY,
    certificate_seconds=700 * DAY,
)


def kinds(facts: NodeFacts) -> list[tuple[str, str]]:
    """Return what is found: kind and subject."""
    return [(found.kind, found.subject) for found in judge_node(facts, LIMITS).findings]


def source(**changes: object) -> NodeFacts:
    return replace(WELL, sources=(replace(SOURCE, **changes),))  # type: ignore[arg-type]


def test_where_all_is_well_nothing_is_found() -> None:
    assert judge_node(WELL, LIMITS).findings == []
    assert judge_node(WELL, LIMITS).undecided == frozenset()
    assert judge_hub(HUB, LIMITS).findings == []


NAME = SOURCE.name


@pytest.mark.parametrize(
    ("facts", "found", "words"),
    [
        (replace(WELL, quiet_seconds=30), [], ""),
        (replace(WELL, quiet_seconds=30.1), [("node_silent", "")], "(30 s): check there that the machine"),
        (replace(WELL, interval_seconds=60, quiet_seconds=179), [], ""),
        (
            source(problem="permission denied"),
            [("source_silent", NAME)],
            "cannot be read (permission denied)",
        ),
        (source(quiet_seconds=180), [], ""),
        (source(quiet_seconds=181), [("source_silent", NAME)], "no new line for 180 s"),
        (source(quiet_seconds=20_000, steady=False), [], ""),
        (source(quiet_seconds=21_601, steady=False), [("source_silent", NAME)], "no new line for 21600 s"),
        (source(lag_grows=True), [("lag_growing", NAME)], "more and more"),
        (source(drops=1000, packets=100_000), [], ""),
        (source(drops=1001, packets=100_000), [("sensor_drops", NAME)], "more than 1%"),
        (source(drops=99, packets=100), [], ""),
        (source(still_seconds=180), [], ""),
        (source(still_seconds=181), [("sensor_blind", NAME)], "check the mirror port"),
        (replace(WELL, spool_share=0.8), [], ""),
        (replace(WELL, spool_share=0.81), [("spool_filling", "")], "more than 80% full"),
        (replace(WELL, spool_share=1.0), [("spool_filling", "")], "its spool is full"),
        (replace(WELL, spool_problem="the disk is full"), [("spool_filling", "")], "(the disk is full)"),
        (replace(WELL, backlog_grows=True), [("lag_growing", "uplink")], "waits ever longer"),
        (replace(WELL, skew_seconds=5), [], ""),
        (replace(WELL, skew_seconds=5.1), [("clock_skew", "")], "5 s ahead"),
        (replace(WELL, skew_seconds=-6), [("clock_skew", "")], "5 s behind"),
        (replace(WELL, skew_seconds=float("nan")), [], ""),
        (replace(WELL, certificate_seconds=13 * DAY), [("certificate_ending", "")], "within 14 days: enrol"),
        (replace(WELL, certificate_seconds=None), [], ""),
        (replace(WELL, clone="two take turns"), [("clone_suspected", "")], "two take turns: give each"),
        (replace(WELL, missing=1), [("unaccounted", "uplink")], "see `zeus ledger`"),
        (replace(WELL, unaccounted=1), [("unaccounted", "node")], "the node's own books"),
        (replace(WELL, unstored=1), [("unaccounted", "store")], "not in its store"),
        (
            replace(WELL, lost=(LostCanary(NAME, "tail", inside=True),)),
            [("canary_lost", NAME)],
            "stop at the stage tail",
        ),
    ],
)
def test_what_is_wrong_with_a_node(facts: NodeFacts, found: list[tuple[str, str]], words: str) -> None:
    findings = judge_node(facts, LIMITS).findings

    assert [(each.kind, each.subject) for each in findings] == found
    assert all(words in each.message for each in findings)


@pytest.mark.parametrize(
    ("facts", "found", "words"),
    [
        (replace(HUB, sinks=(SinkFacts("store", "", 60),)), [], ""),
        (replace(HUB, sinks=(SinkFacts("store", "locked", 61),)), [("sink_stuck", "store")], "(locked)"),
        (replace(HUB, free_bytes=2**30 - 1), [("hub_disk", "")], "less than 1024 MiB are free"),
        (replace(HUB, free_bytes=None), [], ""),
        (replace(HUB, journal_problem="full", free_bytes=0), [("hub_disk", "")], "cannot be written (full)"),
        (replace(HUB, authority_seconds=DAY), [("certificate_ending", "ca")], "enrol anew"),
        (replace(HUB, certificate_seconds=DAY), [("certificate_ending", "hub")], "restart `zeus serve`"),
    ],
)
def test_what_is_wrong_with_the_hub(facts: HubFacts, found: list[tuple[str, str]], words: str) -> None:
    findings = judge_hub(facts, LIMITS).findings

    assert [(each.kind, each.subject) for each in findings] == found
    assert all(words in each.message for each in findings)


def test_nothing_is_expected_of_a_node_that_is_shut_out_or_was_never_heard() -> None:
    ill = replace(WELL, quiet_seconds=9999, missing=1, clone="two", certificate_seconds=0)

    for facts in (replace(ill, shut_out=True), replace(ill, seen=False)):
        judged = judge_node(facts, LIMITS)
        assert (list(judged.findings), judged.undecided) == ([], frozenset())


def test_what_a_silent_node_told_before_it_fell_silent_is_neither_true_nor_false() -> None:
    judged = judge_node(replace(source(problem="gone"), quiet_seconds=99), LIMITS)

    assert [found.kind for found in judged.findings] == ["node_silent"]
    assert {"source_silent", "spool_filling", "canary_lost", "clock_skew"} <= judged.undecided
    assert "node_silent" not in judged.undecided


def test_what_was_not_watched_for_long_enough_is_not_over() -> None:
    judged = judge_node(
        replace(source(unsure=frozenset({"sensor_blind"})), unsure=frozenset({("canary_lost", "a")})), LIMITS
    )

    assert judged.findings == []
    assert not judged.decides("sensor_blind", NAME)
    assert judged.decides("sensor_blind", "another")
    assert not judged.decides("canary_lost", "a")
    assert judged.decides("canary_lost", "b")


def test_of_the_hub_too_some_is_not_known_at_first() -> None:
    judged = judge_hub(replace(HUB, sinks=(SinkFacts("store", "", 9, sure=False),), free_bytes=None), LIMITS)

    assert not judged.decides("sink_stuck", "store")
    assert not judged.decides("hub_disk", "")
    assert judge_hub(HUB, LIMITS).undecided == frozenset()


def test_while_alerts_come_and_vitals_do_not_what_those_told_is_neither_true_nor_false() -> None:
    judged = judge_node(replace(source(problem="gone"), tells=False), LIMITS)

    assert judged.findings == []
    assert not judged.decides("source_silent", NAME)
    assert not judged.decides("unaccounted", "node")
    assert judged.decides("unaccounted", "uplink")
    assert judged.decides("node_silent", "")


def test_of_a_node_that_has_not_come_back_since_the_hub_started_nothing_is_known() -> None:
    judged = judge_node(replace(WELL, heard=False), LIMITS)

    assert list(judged.findings) == []
    assert {"node_silent", "source_silent", "lag_growing"} <= judged.undecided


def test_a_canary_that_stops_before_the_spool_is_worse_than_one_that_comes_late() -> None:
    found = judge_node(
        replace(WELL, lost=(LostCanary("a", "spool", inside=True), LostCanary("b", "uplink", inside=False))),
        LIMITS,
    ).findings

    assert [each.severity for each in found] == [Severity.SEVERITY_HIGH, Severity.SEVERITY_MEDIUM]


def test_what_a_node_says_is_cut() -> None:
    (found,) = judge_node(source(name="x" * 10_000, problem="y" * 10_000), LIMITS).findings

    assert len(found.message) < 1000


def test_every_kind_has_a_title() -> None:
    named = {value for name, value in vars(conditions).items() if name.isupper() and isinstance(value, str)}

    assert named == set(conditions.TITLES)


NUMBER = st.floats(allow_nan=True, allow_infinity=True)
COUNT = st.integers(0, 2**64 - 1)
SOURCES = st.builds(
    SourceFacts,
    name=st.just("s"),
    problem=st.sampled_from(["", "gone"]),
    quiet_seconds=NUMBER,
    steady=st.booleans(),
    lag_grows=st.booleans(),
    drops=COUNT,
    packets=COUNT,
    still_seconds=NUMBER,
)
FACTS = st.builds(
    NodeFacts,
    shut_out=st.sampled_from([False]),
    seen=st.sampled_from([True]),
    heard=st.booleans(),
    tells=st.booleans(),
    quiet_seconds=NUMBER,
    interval_seconds=st.integers(1, 3600),
    certificate_seconds=st.none() | NUMBER,
    spool_share=NUMBER,
    backlog_grows=st.booleans(),
    spool_problem=st.sampled_from(["", "full"]),
    skew_seconds=NUMBER,
    sources=st.lists(SOURCES, max_size=1),
    clone=st.sampled_from(["", "two"]),
    missing=COUNT,
    unaccounted=COUNT,
    unstored=COUNT,
)


@pytest.mark.parametrize("full", [{"spool_share": 1.0}, {"spool_problem": "the disk is full"}])
def test_a_node_that_does_not_read_is_not_blind(full: dict[str, Any]) -> None:
    """Its logs are the buffer: nothing is said of its sources, and what was said stays."""
    quiet = (replace(SOURCE, quiet_seconds=10_000),)
    canaries = (LostCanary(NAME, "tail", inside=True), LostCanary("other", "uplink", inside=False))
    facts = replace(WELL, sources=quiet, lost=canaries, **full)

    assert kinds(facts) == [("spool_filling", ""), ("canary_lost", "other")]
    assert judge_node(facts, LIMITS).undecided == {("source_silent", NAME), ("canary_lost", NAME)}
    denied = replace(facts, sources=(replace(SOURCE, problem="permission denied"),))
    assert ("source_silent", NAME) in kinds(denied)


def test_a_loss_that_grows_is_told_as_worse() -> None:
    few, many = (
        judge_node(replace(WELL, missing=number), LIMITS).findings[0]
        for number in (conditions.MANY_LOST - 1, conditions.MANY_LOST)
    )

    assert (few.severity, many.severity) == (Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL)
    assert few.message.startswith("99 alerts that the node sent")


@settings(deadline=None)
@given(FACTS)
def test_nothing_is_found_without_a_cause_and_no_cause_is_overlooked(facts: NodeFacts) -> None:
    judged = judge_node(facts, LIMITS)
    found = {each.kind for each in judged.findings}
    silent = facts.quiet_seconds > 3 * facts.interval_seconds
    tells = facts.heard and facts.tells and not silent
    paused = bool(facts.spool_problem) or facts.spool_share >= 1
    causes = {
        "node_silent": silent,
        "certificate_ending": facts.certificate_seconds is not None and facts.certificate_seconds < 14 * DAY,
        "clone_suspected": bool(facts.clone),
        "unaccounted": any((facts.missing, facts.unaccounted, facts.unstored)),
        "spool_filling": tells and (bool(facts.spool_problem) or facts.spool_share > 0.8),
        "clock_skew": tells and 5 < abs(facts.skew_seconds) < float("inf"),
        "source_silent": tells
        and any(
            one.problem or (not paused and one.quiet_seconds > (180 if one.steady else 21_600))
            for one in facts.sources
        ),
        "lag_growing": tells and (facts.backlog_grows or any(one.lag_grows for one in facts.sources)),
        "sensor_drops": tells
        and any(one.drops >= 100 and one.drops > 0.01 * one.packets for one in facts.sources),
        "sensor_blind": tells and any(one.still_seconds > 180 for one in facts.sources),
    }

    assert found == {kind for kind, cause in causes.items() if cause}
    assert not found & judged.undecided
