"""What a group says."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from socme.text import UNSAFE
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.routes.made import NOON, alert, route
from zeus_hub.notice import MOST_MEMBERS, MOST_OBSERVABLES, MOST_TECHNIQUES, MOST_TITLES, Technique, Title
from zeus_hub.routes.due import Telling
from zeus_hub.routes.group import begin
from zeus_hub.routes.summary import CANDIDATES, LONGEST_TEXT, fold, notice

LABELS = (("client", "acme"), ("rule.id", "5710"))
GROUP = begin(route(), "key", LABELS, first=[b"1"], now=0)


def test_a_notice_tells_of_the_group_as_a_whole() -> None:
    alerts = [
        alert(
            number,
            severity=number,
            count=number,
            received=NOON + timedelta(seconds=number),
            techniques=["T1110"],
        )
        for number in (1, 2, 3)
    ]
    summary = fold(fold(None, alerts[:1]), alerts[1:])
    told = notice(GROUP, summary, Telling("new", 1, 6, ("mail",)), client_name="Acme Ltd")

    assert (told.group, told.number, told.reason, told.route) == (GROUP.id, 1, "new", "all")
    assert (told.client, told.client_name, told.labels) == ("acme", "Acme Ltd", LABELS)
    assert (told.severity, told.count, told.fresh) == (3, 6, 6)
    assert (told.first, told.last) == (NOON + timedelta(seconds=1), NOON + timedelta(seconds=3))
    assert told.titles == (Title("sshd: brute force", 6),)
    assert told.techniques == (Technique("T1110"),)
    assert [each.value for each in told.observables] == ["203.0.113.9", "10.0.0.5"]
    assert [each.id for each in told.members] == [number.to_bytes(16).hex() for number in (3, 2, 1)]


def test_what_is_said_most_often_stands_first() -> None:
    alerts = [alert(name=name) for name in ["a", "b", "b", "c"]]
    told = notice(GROUP, fold(None, alerts), Telling("new", 1, 4, ()), client_name="")

    assert told.titles == (Title("b", 2), Title("a", 1), Title("c", 1))


def test_a_flood_of_titles_does_not_hide_what_comes_often() -> None:
    alerts = [alert(name=f"noise {number}" if number % 3 else "attack") for number in range(3000)]
    summary = fold(None, alerts)
    told = notice(GROUP, summary, Telling("new", 1, 3000, ()), client_name="")

    assert told.titles[0] == Title("attack", 1000)
    assert len(summary.titles) == CANDIDATES


def test_an_alert_without_a_name_says_its_message_or_its_rule() -> None:
    stored = [alert(name="", text="what happened"), alert(name="", text="", rule="7")]

    assert [title.text for title in fold(None, stored).titles] == ["what happened", "rule 7"]


def test_techniques_have_names_and_tactics_where_it_is_sure_whose_they_are() -> None:
    sure, unsure = alert(techniques=["T1110"]), alert(techniques=["T1078", "T1021"])
    sure.alert.threat.technique_names.append("Brute Force")
    sure.alert.threat.tactic_names.append("Credential Access")
    unsure.alert.threat.technique_names.append("Valid Accounts")
    unsure.alert.threat.tactic_names.extend(["Persistence", "Lateral Movement"])

    assert fold(None, [sure, unsure, sure]).techniques == (
        Technique("T1110", "Brute Force", ("Credential Access",)),
        Technique("T1078"),
        Technique("T1021"),
    )


def test_members_are_the_latest() -> None:
    summary = None
    for begin_at in range(0, 100, 10):
        summary = fold(summary, [alert(number) for number in range(begin_at, begin_at + 10)])
    assert summary is not None

    assert [int(member.id, 16) for member in summary.members] == list(range(99, 99 - MOST_MEMBERS, -1))


@given(st.lists(st.integers(0, 99), min_size=1, max_size=200), st.integers(1, 199))
def test_it_does_not_matter_in_which_portions_alerts_come(numbers: list[int], cut: int) -> None:
    alerts = [
        alert(place, name=f"rule {number}", severity=number % 5, count=number, ips=(f"192.0.2.{number}", ""))
        for place, number in enumerate(numbers)
    ]
    whole = fold(None, alerts)

    if cut < len(alerts):
        assert fold(fold(None, alerts[:cut]), alerts[cut:]) == whole


def test_a_member_without_a_time_of_its_own_has_that_of_its_arrival() -> None:
    stored = alert()
    assert fold(None, [stored]).members[0].time == NOON
    stored.alert.observed.FromDatetime(NOON - timedelta(seconds=5))
    assert fold(None, [stored]).members[0].time == NOON - timedelta(seconds=5)
    stored.alert.time.seconds = 2**60  # beyond all years
    assert fold(None, [stored]).members[0].time == NOON


HOSTILE = st.text(alphabet=st.sampled_from("a\r\n\x00\x1b\u202e\u200b<&%{"), max_size=30) | st.just(
    "x" * 100_000
)


@st.composite
def hostile(draw: st.DrawFn) -> StoredAlert:
    stored = StoredAlert(client="acme", node=draw(HOSTILE))
    made = stored.alert
    made.id, made.count = b"1" * 16, draw(st.integers(0, 2**32 - 1))
    made.severity = draw(st.integers(0, 9))  # type: ignore[assignment]  # any number may come
    made.rule.id, made.rule.name, made.message = draw(HOSTILE), draw(HOSTILE), draw(HOSTILE)
    made.user, made.host.name, made.url, made.domain = (
        draw(HOSTILE),
        draw(HOSTILE),
        draw(HOSTILE),
        draw(HOSTILE),
    )
    made.source_endpoint.ip = draw(HOSTILE)
    many = st.lists(HOSTILE, max_size=40)
    made.threat.technique_ids.extend(draw(many))
    made.threat.technique_names.extend(draw(many))
    made.threat.tactic_names.extend(draw(many))
    stored.received.seconds = draw(st.integers(-(2**62), 2**62))
    return stored


@settings(deadline=None, max_examples=60)
@given(st.lists(hostile(), min_size=1, max_size=40))
def test_whatever_alerts_say_a_notice_is_harmless_and_bounded(alerts: list[StoredAlert]) -> None:
    told = notice(GROUP, fold(None, alerts), Telling("new", 1, 1, ()), client_name="Acme")

    assert len(told.titles) <= MOST_TITLES
    assert len(told.techniques) <= MOST_TECHNIQUES
    assert len(told.observables) <= MOST_OBSERVABLES
    assert len(told.members) <= MOST_MEMBERS
    texts = [title.text for title in told.titles]
    texts += [text for one in told.techniques for text in (one.id, one.name, *one.tactics)]
    for member in told.members:
        texts += [member.node, member.rule_id, member.rule_name, member.message, member.host, member.user]
        texts += [member.source_ip, *member.techniques]
    assert not any(UNSAFE.search(text) for text in texts)
    assert max(len(text) for text in texts) <= LONGEST_TEXT
