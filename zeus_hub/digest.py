"""What a client is told every day and every month: what came, what became of it, how well was watched. Pure.

The monthly page may say that nothing happened. That is worth something only with how long one was watching,
so that it says also when one was not, and why; a share is never rounded up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from socme import severity
from socme.text import clean
from socme.v1.vitals_pb2 import Health
from zeus_hub.health import SEEING, Moment
from zeus_hub.notice import Title
from zeus_hub.receivers.harmless import LONGEST, harmless
from zeus_hub.receivers.rendering import Language, Sentences, Templates
from zeus_hub.receivers.wording import Words, gsm, one_line

MOST_GAPS = 10  # that a page names one by one, the longest
MOST_LINES = 10  # of titles and sources
MOST_NODES = 100
ENOUGH = 0.95  # of the time; who watched less saw nothing, and cannot say that nothing happened

STATES: Mapping[int, str] = {
    Health.HEALTH_UP: "up",
    Health.HEALTH_DEGRADED: "degraded",
    Health.HEALTH_LATE: "late",
    Health.HEALTH_BLIND: "blind",
    Health.HEALTH_SILENT: "silent",
    Health.HEALTH_REVOKED: "revoked",
}
UNKNOWN = "unknown"
_SEEING = frozenset(STATES[each] for each in SEEING)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which one was not watching."""

    start: datetime
    end: datetime
    state: str
    """As it was for the longest part of it: of STATES, or UNKNOWN."""
    node: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """How a client was over some time."""

    spent: tuple[tuple[str, timedelta], ...]
    """In which state for how long, in the order of STATES; together all of the time."""
    gaps: tuple[Gap, ...]
    """When one could not see, the longest first."""

    @property
    def whole(self) -> timedelta:
        """All of the time."""
        return sum((length for _, length in self.spent), timedelta())

    @property
    def seeing(self) -> timedelta:
        """For how long one could see."""
        return sum((length for state, length in self.spent if state in _SEEING), timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What people did about the alerts of a period."""

    acknowledged: int = 0
    true_positive: int = 0
    false_positive: int = 0
    benign: int = 0
    duplicate: int = 0
    open: int = 0
    """Severe ones that nobody has closed yet: high, critical, or of unknown severity."""
    seconds_to_acknowledge: float | None = None
    """The median; None where none was acknowledged."""

    @property
    def closed(self) -> int:
        """How many were closed, with whatever verdict."""
        return self.true_positive + self.false_positive + self.benign + self.duplicate


@dataclass(frozen=True, slots=True)
class NodeState:
    """How a node is when the report is made."""

    name: str
    state: str
    """Of STATES, or UNKNOWN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A client's day or month."""

    client: str
    client_name: str
    start: datetime
    end: datetime
    counts: tuple[tuple[int, int], ...]
    """Severities and how many alerts."""
    titles: tuple[Title, ...]
    """The most frequent first."""
    sources: tuple[Title, ...]
    """Addresses that most alerts came from."""
    judged: Judged
    watched: Watched
    nodes: tuple[NodeState, ...]
    sampled: int = 1
    """One in how many alerts was looked at for titles and sources, whose counts are estimates then."""
    kept_since: datetime | None = None
    """Of alerts that came before it some are not kept any more; None: all are."""
    untold: bool = False
    """Whether attacks may have been among those, so that nobody can say any more that there were none."""
    joined: datetime | None = None
    """When the client was added, where that was after all of this time; None otherwise."""


class Digests:
    """Puts reports into words of one language; raises OperatorError for a template that fails."""

    def __init__(self, templates: Templates) -> None:
        self._language = templates.language
        self._templates = templates
        for sample in _samples():
            for name in (*_names("day"), *_names("month")):
                templates.check(name, self._values(sample))

    def day(self, report: Report) -> Words:
        """Return the daily digest."""
        return self._words("day", report)

    def month(self, report: Report) -> Words:
        """Return the monthly page."""
        return self._words("month", report)

    def _words(self, kind: str, report: Report) -> Words:
        values = self._values(report)
        rendered = [self._templates.render(name, values) for name in _names(kind)]
        subject, text, html = (each for each, _ in rendered)
        troubles = tuple(dict.fromkeys(trouble for _, trouble in rendered if trouble))
        return Words(one_line(subject), text, html, gsm(subject), troubles)

    def _values(self, report: Report) -> Mapping[str, object]:
        """Return what the templates may name."""
        report = _bounded(report)
        said = self._templates.sentences
        watched, judged = report.watched, report.judged
        local = report.start.astimezone(self._templates.zone)
        counts = [(severity.name(each), count) for each, count in report.counts if count]
        total = sum(count for _, count in counts)
        waited = judged.seconds_to_acknowledge
        return {
            "report": report,
            "judged": judged,
            "date": f"{local:%Y-%m-%d}",
            "month": f"{said['months'][str(local.month)]} {local.year}",
            "counts": counts,
            "total": total,
            "outcome": "absent" if report.joined else _outcome(total, report),
            "share": percent(watched.seeing, watched.whole, self._language),
            "unseen": duration(watched.whole - watched.seeing, said),
            "gaps": [_gap(each, said) for each in watched.gaps[:MOST_GAPS]],
            "more": len(watched.gaps[MOST_GAPS:]),
            "states": list(self._states(watched, said)),
            "median": "" if waited is None else duration(timedelta(seconds=waited), said),
        }

    def _states(self, watched: Watched, said: Sentences) -> Iterator[Mapping[str, str]]:
        for name, length in watched.spent:
            share = percent(length, watched.whole, self._language)
            yield {"name": name, "share": share, "length": duration(length, said)}


def watched(history: Sequence[Moment], start: datetime, end: datetime) -> Watched:
    """Return how a client was between two times, by the moments at which that changed, in ascending order.

    Each holds until the next. Before the first one nothing is known, which is no watching.
    """
    spent = dict.fromkeys((*STATES.values(), UNKNOWN), timedelta())
    gaps: list[list[Gap]] = []
    seeing = True
    for since, until, moment in _spans(history, start, end):
        state = STATES.get(moment.health, UNKNOWN)
        spent[state] += until - since
        if moment.health not in SEEING:
            node, _, reason = (
                moment.reason.rpartition(": ") if ": " in moment.reason else ("", "", moment.reason)
            )
            if seeing:
                gaps.append([])
            gaps[-1].append(Gap(since, until, state, node, reason))
        seeing = moment.health in SEEING
    ranked = sorted((_joined(parts) for parts in gaps), key=lambda gap: (gap.start - gap.end, gap.start))
    return Watched(tuple((state, length) for state, length in spent.items() if length), tuple(ranked))


def percent(part: timedelta, whole: timedelta, language: Language) -> str:
    """Return a share in per cent, rounded down, so that only the whole is 100."""
    tenths = part * 1000 // whole if whole else 0
    text = f"{tenths // 10}.{tenths % 10}"
    return f"{text}%" if language == "en" else f"{text.replace('.', ',')}\N{NO-BREAK SPACE}%"


def duration(length: timedelta, said: Sentences) -> str:
    """Return a length of time in its two largest units."""
    units = said["units"]
    left = round(length.total_seconds())
    parts: list[str] = []
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count or (name == "second" and not parts):
            parts.append(f"{count} {units[name]}")
    return " ".join(parts[:2])


def _spans(
    history: Sequence[Moment], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, Moment]]:
    """Yield the parts of a time with the moment that holds in each."""
    known = [Moment(datetime.min.replace(tzinfo=UTC), Health.HEALTH_UNSPECIFIED), *history]
    ends = [*(moment.since for moment in history), end]
    for moment, following in zip(known, ends, strict=True):
        since, until = max(moment.since, start), min(following, end)
        if since < until:
            yield since, until, moment


def _joined(parts: Sequence[Gap]) -> Gap:
    """Return consecutive gaps as one, with the state and reason of the longest of them."""
    longest = max(parts, key=lambda gap: gap.end - gap.start)
    return replace(longest, start=parts[0].start, end=parts[-1].end)


def _outcome(total: int, report: Report) -> str:
    """Return what can be said of a period.

    There were "real" attacks; some alerts are "open"; what became of some is "unknown", for they are not kept
    any more; too much was "unseen" to say more; all were "harmless"; or there were "none".
    """
    watched = report.watched
    if report.judged.true_positive:
        return "real"
    if report.judged.open:
        return "open"
    if report.untold:
        return "unknown"
    if watched.seeing < watched.whole * ENOUGH:
        return "unseen"
    return "harmless" if total else "none"


def _gap(gap: Gap, said: Sentences) -> Mapping[str, object]:
    return {
        "start": gap.start,
        "end": gap.end,
        "length": duration(gap.end - gap.start, said),
        "state": gap.state,
        "node": clean(gap.node, LONGEST),
        "reason": clean(gap.reason, LONGEST),
    }


def _bounded(report: Report) -> Report:
    return replace(
        harmless(replace(report, nodes=report.nodes[:MOST_NODES], watched=Watched((), ()))),
        titles=harmless(report.titles[:MOST_LINES]),
        sources=harmless(report.sources[:MOST_LINES]),
        watched=report.watched,
    )


def _names(kind: str) -> tuple[str, str, str]:
    return f"{kind}_subject.txt", f"{kind}.txt", f"{kind}.html"


def _samples() -> Iterator[Report]:
    """Yield reports with everything in them and with nothing, and one for each outcome."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=31)
    silent = Moment(start + timedelta(days=3), Health.HEALTH_SILENT, "acme-1: nothing was heard of it")
    history = [Moment(start, Health.HEALTH_UP), silent, Moment(end - timedelta(days=9), Health.HEALTH_LATE)]
    title = Title("sshd: brute force", 2000)
    judged = Judged(
        acknowledged=7, true_positive=1, false_positive=2, benign=3, open=1, seconds_to_acknowledge=90.0
    )
    full = Report(
        client="acme",
        client_name="Acme",
        start=start,
        end=end,
        counts=((4, 1), (3, 2), (2, 1997), (0, 1)),
        titles=(title,),
        sources=(Title("192.0.2.7", 2000),),
        judged=judged,
        watched=watched(history, start, end),
        nodes=(NodeState("acme-1", "up"),),
    )
    yield full
    yield replace(full, judged=replace(judged, true_positive=0), sampled=20, kept_since=end)
    yield replace(full, judged=replace(judged, true_positive=0, open=0))
    yield replace(full, judged=Judged(), kept_since=end, untold=True)
    short = [Moment(start, Health.HEALTH_UP), replace(silent, since=end - timedelta(days=1))]
    yield replace(full, judged=Judged(), watched=watched(short, start, end))
    nothing = replace(full, client_name="", counts=(), titles=(), sources=(), judged=Judged(), nodes=())
    yield replace(nothing, watched=watched(short[:1], start, end))
    yield replace(nothing, watched=Watched((), ()), joined=end)
