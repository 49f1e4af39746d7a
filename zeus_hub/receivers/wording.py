"""A notice in words: what happened, where, how often, what it means, and what to do."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

from socme import severity
from socme.text import clean
from zeus_hub.notice import Member, Notice, Observable, Reason, Technique, Title
from zeus_hub.receivers.harmless import harmless
from zeus_hub.receivers.rendering import Language, Sentences, Templates

LONGEST_SUBJECT = 150  # characters; more than a list of mails shows
LONGEST_SHORT = 160  # characters of one SMS, each of which has a place in GSM's alphabet of 7 bits
MOST_NAMES = 10  # of nodes, hosts, addresses
MOST_TACTICS = 6
OWN = "socme"  # the source of alerts about how well SOCme watches; their messages say what to mend
NAMES = ("subject.txt", "notice.txt", "notice.html", "short.txt")

_BETWEEN = re.compile(r"[\s_-]+")
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_ID = re.compile(r"[0-9a-f]{6,64}")  # of an alert or a group: what a person may paste behind a command
# What SMS writes with two characters or not at all.
_TWICE = str.maketrans("[]{}|\\^~`", "()()//'-'")


@dataclass(frozen=True, slots=True)
class Words:
    """A message to people."""

    subject: str
    """One line of at most LONGEST_SUBJECT characters."""
    text: str
    html: str
    """A whole page."""
    short: str
    """At most LONGEST_SHORT characters of ASCII, on one line."""
    warnings: tuple[str, ...] = ()
    """Templates of the site's that failed, and why; the shipped ones were used."""


@dataclass(frozen=True, slots=True)
class Tactic:
    """What an attacker is after; texts are empty where nobody has written any."""

    name: str
    means: str = ""
    advice: str = ""


class Wording:
    """Puts notices into words of one language."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        for sample in SAMPLES:
            for name in NAMES:
                templates.check(name, _values(sample, templates.sentences))

    def of(self, notice: Notice) -> Words:
        """Return a notice in words; whatever it says, they do no harm."""
        values = _values(harmless(notice), self._templates.sentences)
        rendered = {name: self._templates.render(name, values) for name in NAMES}
        subject, text, html, short = (rendered[name][0] for name in NAMES)
        troubles = dict.fromkeys(trouble for _, trouble in rendered.values() if trouble)
        return Words(one_line(subject), text, html, gsm(short), tuple(troubles))

    def test(self, receiver: str) -> Words:
        """Return the words of a test of a receiver."""
        said = self._templates.sentences["test"]
        text = f"{said['text']}\n{receiver}"
        return Words(one_line(said["subject"]), text, "", gsm(f"{said['subject']}. {said['text']}"))


def load(language: Language, zone: ZoneInfo, site: Path | None = None) -> Wording:
    """Return the wording of a language; raise OperatorError for a template that fails."""
    return Wording(Templates(language, zone, site))


def one_line(text: str) -> str:
    """Return text as a subject: nothing in it ends a header."""
    return clean(" ".join(text.split()), LONGEST_SUBJECT)


def gsm(text: str) -> str:
    """Return text that fits into one SMS: letters without accents, and a "?" for what has no place there."""
    plain = unicodedata.normalize("NFKD", " ".join(text.split()))
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    line = clean(bare.encode("ascii", "replace").decode("ascii"), len(bare) + 1).translate(_TWICE)
    line = line.encode("ascii", "replace").decode("ascii")
    return line if len(line) <= LONGEST_SHORT else f"{line[: LONGEST_SHORT - 3]}..."


def _values(notice: Notice, sentences: Sentences) -> Mapping[str, object]:
    """Return what the templates of a notice may name."""
    members = notice.members
    known = sentences["tactics"]
    tactics = list(dict.fromkeys(_tactic(name, known) for each in notice.techniques for name in each.tactics))
    worst = severity.name(notice.severity)
    return {
        "notice": notice,
        "severity": worst,
        "newest": next((each.id for each in members if _ID.fullmatch(each.id)), ""),
        "group": notice.group if _ID.fullmatch(notice.group) else "",
        "nodes": _names(each.node for each in members),
        "hosts": _names([*(each.host for each in members), *_seen(notice, "hostname")]),
        "users": _names(each.user for each in members),
        "origins": _names(each.source_ip for each in members),
        "targets": _names(each.destination_ip for each in members),
        "techniques": [_with_tactics(each, known) for each in notice.techniques],
        "tactics": tactics[:MOST_TACTICS],
        "said": _names(each.message for each in members if each.source == OWN),
        "advice": _advice(notice, worst, tactics[:MOST_TACTICS], sentences),
    }


def _seen(notice: Notice, kind: str) -> list[str]:
    return [each.value for each in notice.observables if each.kind == kind]


def _names(some: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(each for each in some if each))[:MOST_NAMES]


def _tactic(name: str, known: Sentences) -> Tactic:
    """Return a tactic in the language's words; one that nobody has written of is named all the same."""
    key = _BETWEEN.sub("-", name.strip()).lower()
    return Tactic(**known[key]) if key in known else Tactic(name)


def _with_tactics(technique: Technique, known: Sentences) -> tuple[Technique, list[str], bool]:
    """Return a technique, the names of its tactics, and whether ATT&CK has a page of it."""
    names = _names(_tactic(name, known).name for name in technique.tactics)
    return technique, names, bool(_TECHNIQUE.fullmatch(technique.id))


def _advice(notice: Notice, worst: str, tactics: Iterable[Tactic], sentences: Sentences) -> list[str]:
    said = sentences["advice"]
    if notice.reason == "over":
        return [said["over"]]
    if notice.members and all(each.source == OWN for each in notice.members):
        return [said["own"]]
    return [said[worst], *(each.advice for each in tactics if each.advice)]


def _sample(reason: Reason) -> Notice:
    """Return a notice that has everything, so that a template that fails does so before the first alert."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    member = Member(
        id="0123456789abcdef0123456789abcdef", node="acme-1", time=moment, received=moment, severity=4,
        source="wazuh", rule_id="5712", rule_name="sshd: brute force", message="Failed password for root",
        host="web-1", user="root", source_ip="192.0.2.7", source_port=4022, destination_ip="198.51.100.1",
        destination_port=22, techniques=("T1110.001",), count=7,
    )  # fmt: skip
    return Notice(
        group="0123456789abcdef0123456789abcdef", number=2, reason=reason, route="brute force", client="acme",
        client_name="Acme", labels=(("rule.id", "5712"),), severity=4, count=10_000, fresh=9, first=moment,
        last=moment, titles=(Title("sshd: brute force", 10_000),),
        techniques=(
            Technique("T1110.001", "Password Guessing", ("Credential Access",)),
            Technique("odd", "", ("Odd",)),
        ),
        observables=(Observable("ip", "192.0.2.7"), Observable("hostname", "web-1", internal=True)),
        members=(member, replace(member, source=OWN)),
    )  # fmt: skip


def _bare(full: Notice) -> Notice:
    """Return a notice that has nothing that it need not have."""
    return replace(full, labels=(), severity=0, count=1, titles=(), techniques=(), observables=(), members=())


SAMPLES = tuple(sample for reason in get_args(Reason) for sample in (_sample(reason), _bare(_sample(reason))))
