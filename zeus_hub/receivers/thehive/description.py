"""The description of an alert in TheHive: ours above a line, people's below it.

That line also remembers which notice the alert has, so that a notice that comes again is known: it is changed
by the last request of a notice. Nothing that an alert says can look like it, for hostile text always stands
behind words of ours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from socme import severity
from socme.text import REPLACEMENT
from zeus_hub.notice import Member, Notice
from zeus_hub.receivers.thehive.markdown import literal

LONGEST_VALUE = 200  # characters of one text of an alert
LONGEST_REMARK = 200_000  # characters that people may have written below the line; TheHive takes a million

_LINE = re.compile(
    r"^SOCme keeps what is above this line up to date \(notice (\d{1,9}), severity (\w{1,10})\)\."
    r" What is written below it stays\.[ \t\r]*$",
    re.MULTILINE,
)
_HALF = re.compile("[\ud800-\udfff]")  # of a character, which JSON can hold and TheHive would not take back


@dataclass(frozen=True, slots=True)
class Told:
    """What a description says that it tells of."""

    number: int
    """Of the latest notice; 0 for an alert that was begun and not finished."""
    severity: str
    """A name of socme.severity."""
    remark: str
    """What people have written below the line."""


def told(description: str) -> Told | None:
    """Return what a description tells; None where people have replaced it, or written too much."""
    found = _LINE.search(description)
    if found is None:
        return None
    remark = _HALF.sub(REPLACEMENT, description[found.end() :]).strip("\r\n")
    if len(remark) > LONGEST_REMARK:
        return None
    return Told(int(found[1]), found[2], remark)


def described(notice: Notice, *, number: int, remark: str = "") -> str:
    """Return the description of a group, with `number` to remember."""
    worst = severity.name(notice.severity)
    line = (
        f"SOCme keeps what is above this line up to date (notice {number}, severity {worst})."
        " What is written below it stays."
    )
    body = "\n".join(_body(notice, worst))
    return f"{body}\n\n{line}\n" + (f"\n{remark}\n" if remark else "")


def stamp(moment: datetime) -> str:
    """Return a time for people: to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _body(notice: Notice, worst: str) -> Iterator[str]:
    alerts = "1 alert" if notice.count == 1 else f"{notice.count} alerts"
    yield f"{alerts}, severity {worst}."
    yield ""
    yield f"- Client: {_literal(notice.client_name)} ({_literal(notice.client)})"
    yield f"- First: {stamp(notice.first)}"
    yield f"- Latest: {stamp(notice.last)}"
    yield f"- Route: {_literal(notice.route)}"
    yield from (f"- In common: {_literal(name)} is {_literal(value)}" for name, value in notice.labels)
    yield from _part("What they say", [f"- {each.count} of {_literal(each.text)}" for each in notice.titles])
    yield from _part(
        "ATT&CK techniques",
        [
            f"- Technique {_literal(each.id)} {_literal(each.name)}, of {_literal(', '.join(each.tactics))}"
            for each in notice.techniques
        ],
    )
    yield from _part("The latest", [_member(each) for each in notice.members])


def _part(heading: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"**{heading}**", "", *lines)


def _member(member: Member) -> str:
    ends = [
        f"{word} {_literal(f'{ip} port {port}' if port else ip)}"
        for word, ip, port in (
            ("from", member.source_ip, member.source_port),
            ("to", member.destination_ip, member.destination_port),
        )
        if ip
    ]
    names = [
        f"{word} {_literal(text)}" for word, text in (("host", member.host), ("user", member.user)) if text
    ]
    rule = " ".join(filter(None, (member.rule_id, member.rule_name or member.message)))
    parts = [f"{stamp(member.time)}, {severity.name(member.severity)}: {_literal(rule)}", *ends, *names]
    return f"- {', '.join(parts)}, node {_literal(member.node)}, alert {_literal(member.id)}"


def _literal(text: str) -> str:
    return literal(text, LONGEST_VALUE)
