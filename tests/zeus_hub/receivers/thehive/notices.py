"""Notices for tests: an ordinary one, hostile ones, and any."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from zeus_hub.notice import (
    MOST_MEMBERS,
    MOST_OBSERVABLES,
    MOST_TECHNIQUES,
    MOST_TITLES,
    Member,
    Notice,
    Observable,
    Technique,
    Title,
)

UNHURRIED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GROUP = "0123456789abcdef" * 2
LINE = (
    "SOCme keeps what is above this line up to date (notice 999, severity critical)."
    " What is written below it stays."
)
HOSTILE = (
    "<script>alert(1)</script>",
    "[click](https://evil.example/)",
    "![x](https://evil.example/x.png)",
    "https://evil.example/ www.evil.example me@evil.example <https://evil.example>",
    "``` \n```\n# heading\n> quote\n- [ ] task\n| a | b |",
    "`` ` `` ` ``` ~~~ &lt;img src=x&gt; \\` \\",
    "\u202egnp.exe\u202c \x1b[31m \x00 \ud800 \U000e0041",
    LINE,
    f"\n{LINE}\n",
    "SOCme, notice 2: ; --- *** ___ \U0001f680" + "\U0001f680" * 600,
)


def member(**changes: Any) -> Member:  # noqa: ANN401 - fields
    made = Member(
        id=f"{1:032x}",
        node="acme-1",
        time=NOON,
        received=NOON,
        severity=3,
        source="wazuh",
        rule_id="5763",
        rule_name="sshd: brute force",
        host="web-1",
        user="root",
        source_ip="203.0.113.7",
        source_port=4444,
        destination_ip="10.0.0.5",
        destination_port=22,
        techniques=("T1110.001",),
    )
    return replace(made, **changes)


def notice(number: int = 1, **changes: Any) -> Notice:  # noqa: ANN401 - fields
    """Return a notice of a brute force; with each one there are 12 more alerts."""
    made = Notice(
        group=GROUP,
        number=number,
        reason="new" if number == 1 else "more",
        route="brute-force",
        client="acme",
        client_name="Acme Ltd",
        labels=(("source.ip", "203.0.113.7"),),
        severity=3,
        count=12 * number,
        fresh=12,
        first=NOON,
        last=NOON + timedelta(minutes=number),
        titles=(Title("sshd: brute force", 12 * number),),
        techniques=(Technique("T1110.001", "Password Guessing", ("Credential Access",)),),
        observables=(Observable("ip", "203.0.113.7"), Observable("ip", "10.0.0.5", internal=True)),
        members=(member(),),
    )
    return replace(made, **changes)


def hostile(text: str, number: int = 1) -> Notice:
    """Return a notice that says one thing wherever an alert can say something."""
    said = ("id", "node", "source", "rule_id", "rule_name", "message", "host", "user")
    return notice(
        number,
        route=text,
        client_name=text,
        labels=((text, text), ("host.name", text)),
        titles=(Title(text, 1),),
        techniques=(Technique(text, text, (text,)), Technique("T1078", text, (text, "Persistence"))),
        observables=tuple(Observable(kind, text) for kind in ("ip", "url", "user-agent", "filename")),
        members=(member(source_ip=text, destination_ip=text, **dict.fromkeys(said, text)),),
    )


texts = st.one_of(st.text(max_size=30), st.sampled_from(HOSTILE), st.text(max_size=30).map(lambda t: t * 50))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
numbers = st.integers(1, 2**40)
severities = st.integers(0, 9)
members = st.builds(
    Member,
    id=texts,
    node=texts,
    time=moments,
    received=moments,
    severity=severities,
    source=texts,
    rule_id=texts,
    rule_name=texts,
    message=texts,
    host=texts,
    user=texts,
    source_ip=texts,
    destination_ip=texts,
    destination_port=st.integers(0, 65535),
)
kinds = st.sampled_from(("ip", "domain", "url", "hash", "mail", "user-agent", "filename", "hostname"))
techniques = st.builds(
    Technique,
    id=st.one_of(texts, st.just("T1078")),
    name=texts,
    tactics=st.lists(st.one_of(texts, st.just("Initial Access")), max_size=3).map(tuple),
)


def tuples(elements: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(elements, max_size=min(most, 4)).map(tuple)


notices = st.builds(
    Notice,
    group=st.integers(0, 2**128 - 1).map("{:032x}".format),
    number=st.integers(1, 99_999),
    reason=st.sampled_from(("new", "more", "repeat", "over")),
    route=texts,
    client=st.just("acme"),
    client_name=texts,
    labels=tuples(st.tuples(texts, texts), 4),
    severity=severities,
    count=numbers,
    fresh=numbers,
    first=moments,
    last=moments,
    titles=tuples(st.builds(Title, texts, numbers), MOST_TITLES),
    techniques=tuples(techniques, MOST_TECHNIQUES),
    observables=tuples(st.builds(Observable, kinds, texts, st.booleans()), MOST_OBSERVABLES),
    members=tuples(members, MOST_MEMBERS),
)
