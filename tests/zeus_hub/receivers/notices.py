"""Notices for tests: one as it comes, and any that the worst of alerts could make."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from zeus_hub.notice import (
    Member,
    Notice,
    Observable,
    ObservableKind,
    Reason,
    Technique,
    Title,
)

PARIS = ZoneInfo("Europe/Paris")
NIGHT = datetime(2026, 11, 29, 2, 14, 5, tzinfo=UTC)
ID = "0f" * 16
GROUP = "ab" * 16
NOTICE = Notice(
    group=GROUP,
    number=1,
    reason="new",
    route="accounts",
    client="acme",
    client_name="Acme Ltd",
    labels=(("rule.id", "5712"), ("source.ip", "192.0.2.7")),
    severity=4,
    count=10_000,
    fresh=10_000,
    first=NIGHT,
    last=NIGHT + timedelta(minutes=1),
    titles=(Title("sshd: brute force", 9990), Title("sshd: root login", 10)),
    techniques=(Technique("T1110.001", "Password Guessing", ("Credential Access",)),),
    observables=(Observable("ip", "192.0.2.7"), Observable("hostname", "db-9", internal=True)),
    members=(
        Member(
            id=ID,
            node="acme-1",
            time=NIGHT,
            received=NIGHT,
            severity=4,
            source="wazuh",
            rule_id="5712",
            rule_name="sshd: brute force",
            host="web-1",
            user="root",
            source_ip="192.0.2.7",
            destination_ip="198.51.100.1",
            destination_port=22,
        ),
    ),
)
LATER = replace(NOTICE, number=3, reason="more", fresh=12)
BAIT = (
    "\r\nBcc: everyone@example.org\r\n\r\nbody",
    "Subject: x\nX-Evil: 1",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)">x</a>',
    "{{ 7*7 }}{% for x in y %}{{ zone.__class__ }}",
    "\u202egnp.exe\u2066\u200b\x1b[2J\x00\x9b",
    "=?utf-8?q?=0D=0ABcc:_a@example.org?=",
    "a" * 100_000,
    ".\r\n.\r\nQUIT\r\n",
    "\ud800\udfff",
    "é" * 200,
    "word " * 200,
    "$(reboot); `reboot`",
)

texts = st.one_of(st.sampled_from(BAIT), st.text(st.characters(exclude_categories=()), max_size=80))
_times = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_few = st.integers(0, 2**40)


def _some(each: st.SearchStrategy, most: int = 3) -> st.SearchStrategy:
    return st.lists(each, max_size=most).map(tuple)


members = st.builds(
    Member,
    id=texts,
    node=texts,
    time=_times,
    received=_times,
    severity=st.integers(0, 9),
    source=texts,
    rule_id=texts,
    rule_name=texts,
    message=texts,
    host=texts,
    user=texts,
    source_ip=texts,
    source_port=st.integers(0, 65535),
    destination_ip=texts,
    destination_port=st.integers(0, 65535),
    techniques=_some(texts),
    count=_few,
)
hostile = st.builds(
    Notice,
    group=texts,
    number=st.integers(1, 2**31),
    reason=st.sampled_from(get_args(Reason)),
    route=texts,
    client=texts,
    client_name=texts,
    labels=_some(st.tuples(texts, texts)),
    severity=st.integers(0, 9),
    count=_few,
    fresh=_few,
    first=_times,
    last=_times,
    titles=_some(st.builds(Title, texts, _few)),
    techniques=_some(st.builds(Technique, texts, texts, _some(texts))),
    observables=_some(st.builds(Observable, st.sampled_from(get_args(ObservableKind)), texts, st.booleans())),
    members=_some(members, 2),
)
