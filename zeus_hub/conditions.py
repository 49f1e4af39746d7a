"""What is wrong, given what is known: of a node, and of the hub itself.

A condition has a kind, a subject (a source, a sink; empty for the whole node), and a sentence for people:
what it is, and what to do. Whether it is raised is decided in raising.py: it must last.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from socme.v1.alert_pb2 import Severity
from zeus_hub.plan import Limits

INTERVALS_TO_SILENCE = 3  # of its own intervals; the same as a stale node's
LEAST_DROPS = 100  # packets; a share of less says nothing
MANY_LOST = 100  # alerts: a loss that grows so far is told once more
LONGEST_TEXT = 300  # characters of what a node says that are passed on
DAY_SECONDS = 86_400

MEDIUM, HIGH, CRITICAL = Severity.SEVERITY_MEDIUM, Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL

NODE_SILENT = "node_silent"
SOURCE_SILENT = "source_silent"
SENSOR_DROPS = "sensor_drops"
SENSOR_BLIND = "sensor_blind"
SPOOL_FILLING = "spool_filling"
LAG_GROWING = "lag_growing"
CLOCK_SKEW = "clock_skew"
CERTIFICATE_ENDING = "certificate_ending"
CANARY_LOST = "canary_lost"
UNACCOUNTED = "unaccounted"
CLONE_SUSPECTED = "clone_suspected"
SINK_STUCK = "sink_stuck"
HUB_DISK = "hub_disk"

TITLES = {
    NODE_SILENT: "Node is silent",
    SOURCE_SILENT: "Source is silent",
    SENSOR_DROPS: "Sensor drops packets",
    SENSOR_BLIND: "Sensor sees no traffic",
    SPOOL_FILLING: "Spool fills up",
    LAG_GROWING: "Node falls behind",
    CLOCK_SKEW: "Clock is off",
    CERTIFICATE_ENDING: "Certificate ends soon",
    CANARY_LOST: "Canary is lost",
    UNACCOUNTED: "Alerts are unaccounted for",
    CLONE_SUSPECTED: "Clone suspected",
    SINK_STUCK: "Sink is stuck",
    HUB_DISK: "Hub's disk fills up",
}
# What only a node itself tells: nothing can be said of these while it does not.
_TOLD: frozenset[str | tuple[str, str]] = frozenset(
    (
        *(SOURCE_SILENT, SENSOR_DROPS, SENSOR_BLIND, SPOOL_FILLING, LAG_GROWING, CLOCK_SKEW, CANARY_LOST),
        (UNACCOUNTED, "node"),
    )
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong now."""

    kind: str
    subject: str
    severity: Severity.ValueType
    message: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What is wrong with a node or with the hub, and of what nothing can be said now."""

    findings: Sequence[Finding]
    undecided: frozenset[str | tuple[str, str]] = frozenset()
    """Kinds, or kinds with their subjects, that neither begin nor end by this."""

    def decides(self, kind: str, subject: str) -> bool:
        """Tell whether a condition is over where it was not found."""
        return kind not in self.undecided and (kind, subject) not in self.undecided


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known of one source of a node."""

    name: str
    problem: str
    """Why the node cannot read it; empty when all is well."""
    quiet_seconds: float
    """Since its last record."""
    steady: bool
    """Whether it gives a record every few seconds when all is well."""
    lag_grows: bool
    """Whether more and more is unread (trend.py)."""
    drops: int
    """Packets that the sensor lost, within a minute or two."""
    packets: int
    """Packets that it saw in that time."""
    still_seconds: float
    """How long it has seen no packet though it reports; 0 where it does or does not say."""
    unsure: frozenset[str] = frozenset()
    """Kinds that were not watched for long enough yet to say that they are over."""


@dataclass(frozen=True, slots=True)
class LostCanary:
    """Where a source's canaries stop."""

    source: str
    stage: str
    """"write", "tail", "spool", "uplink", "journal", "sink store", "live"."""
    inside: bool
    """Whether that is before the spool: what the source gives is not even taken in."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is known of one node."""

    shut_out: bool
    """Revoked, or its client is disabled: nothing is expected of it."""
    seen: bool
    """Whether it was ever heard."""
    heard: bool
    """Whether it was heard since the hub started."""
    tells: bool
    """Whether its newest vitals are known, and not old."""
    quiet_seconds: float
    """Since it was last heard, or since the hub could hear."""
    interval_seconds: int
    """Between two vitals."""
    certificate_seconds: float | None
    """Until the end of its certificate; None: has none."""
    spool_share: float = 0.0
    """1 where it is full: nothing is read then."""
    spool_problem: str = ""
    """Why it cannot be written; nothing is read then, either."""
    backlog_grows: bool = False
    """Whether what waits in it gets older and older (trend.py)."""
    skew_seconds: float = 0.0
    """How far its clock is ahead; negative: behind."""
    sources: Sequence[SourceFacts] = ()
    lost: Sequence[LostCanary] = ()
    clone: str = ""
    """Why two machines seem to share its identity; empty otherwise."""
    missing: int = 0
    """Alerts that the node says it sent and that never came."""
    unaccounted: int = 0
    """Alerts that the node's own ledger cannot explain."""
    unstored: int = 0
    """Alerts by which what the hub took and what became of it differ."""
    unsure: frozenset[str | tuple[str, str]] = frozenset()
    """What was not watched for long enough yet to say that it is over: kinds, or kinds and subjects."""
    steady_seconds: float = math.inf
    """For how long all of this that is no length of time stays as it is, if nothing comes."""


@dataclass(frozen=True, slots=True)
class SinkFacts:
    """What is known of one sink."""

    name: str
    problem: str
    """Why it cannot be reached; empty when all is well."""
    stuck_seconds: float
    """How long it has taken nothing though there is something for it; 0 where it does or there is not."""
    sure: bool = True
    """Whether it has taken something, or had nothing to take, since the hub started."""


@dataclass(frozen=True, slots=True)
class HubFacts:
    """What the hub knows of itself."""

    sinks: Sequence[SinkFacts]
    free_bytes: int | None
    """On the disk of its state folder; None: not found out yet."""
    journal_problem: str
    """Why nothing can be written; empty when all is well."""
    authority_seconds: float
    """Until the end of the CA's certificate."""
    certificate_seconds: float
    """Until the end of its own, of which it makes a new one at each start."""


def silence_seconds(interval_seconds: float) -> float:
    """Return after how long a node that reports at an interval counts as silent."""
    return float(INTERVALS_TO_SILENCE * interval_seconds)


def is_silent(facts: NodeFacts) -> bool:
    """Tell whether nothing is heard of a node of which something should be."""
    return facts.seen and facts.quiet_seconds > silence_seconds(facts.interval_seconds)


def judge_node(facts: NodeFacts, limits: Limits) -> Judged:
    """Return what is wrong with a node."""
    if facts.shut_out or not facts.seen:
        return Judged(())
    findings = [*_certificate(facts.certificate_seconds, limits), *_identity(facts)]
    unsure = facts.unsure
    if is_silent(facts):
        message = (
            f"nothing was heard for {INTERVALS_TO_SILENCE} of its intervals"
            f" ({silence_seconds(facts.interval_seconds):.0f} s): check there that the machine runs, its way"
            " to the hub, and `systemctl status artemis`"
        )
        findings.append(Finding(NODE_SILENT, "", HIGH, message))
        return Judged(findings, _TOLD | unsure)
    if not facts.heard:
        return Judged(findings, _TOLD | {NODE_SILENT} | unsure)
    if not facts.tells:
        return Judged([*findings, *_canaries(facts.lost)], _TOLD | unsure)
    # It does not read then: that is its spool's fault, and the logs are the buffer.
    paused = bool(facts.spool_problem) or facts.spool_share >= 1
    for source in facts.sources:
        findings += _source(source, limits, reads=not paused)
        findings += _sensor(source, limits)
        unsure |= {(kind, source.name) for kind in source.unsure}
        if paused and not source.problem:
            unsure |= {(SOURCE_SILENT, source.name)}
    unsure |= {(CANARY_LOST, lost.source) for lost in facts.lost if paused and lost.inside}
    findings += [*_spool(facts, limits), *_clock(facts, limits)]
    findings += _canaries([lost for lost in facts.lost if not (paused and lost.inside)])
    return Judged(findings, unsure)


def holds_seconds(facts: NodeFacts, limits: Limits) -> float:
    """Return for how long what was judged of a node holds, if nothing comes and time alone passes.

    At that time, or earlier than something changes, but never later.
    """
    ahead = [facts.steady_seconds, silence_seconds(facts.interval_seconds) - facts.quiet_seconds]
    if facts.certificate_seconds is not None:
        ahead.append(facts.certificate_seconds - limits.certificate_days * DAY_SECONDS)
    ahead += [_longest_quiet(source, limits) - source.quiet_seconds for source in facts.sources]
    return min((seconds for seconds in ahead if seconds >= 0), default=math.inf)


def judge_hub(facts: HubFacts, limits: Limits) -> Judged:
    """Return what is wrong with the hub itself."""
    findings: list[Finding] = []
    for sink in facts.sinks:
        findings += _sink(sink, limits)
    if facts.journal_problem:
        message = (
            f"the journal cannot be written ({_short(facts.journal_problem)}), so nothing is taken from any"
            " node: make room on the hub's disk, and check it"
        )
        findings.append(Finding(HUB_DISK, "", CRITICAL, message))
    elif facts.free_bytes is not None and facts.free_bytes < limits.hub_free_bytes:
        message = (
            f"less than {limits.hub_free_bytes // 2**20} MiB are free where the hub keeps its state: make"
            " room, or set a smaller journal.keep_bytes"
        )
        findings.append(Finding(HUB_DISK, "", HIGH, message))
    own = (
        ("ca", facts.authority_seconds, "all nodes and screens must enrol anew with a new CA"),
        ("hub", facts.certificate_seconds, "restart `zeus serve`, which makes itself a new one"),
    )
    for subject, seconds, mend in own:
        if seconds < limits.certificate_days * DAY_SECONDS:
            message = f"the certificate of the {subject} ends within {limits.certificate_days:g} days: {mend}"
            findings.append(Finding(CERTIFICATE_ENDING, subject, HIGH, message))
    unsure: set[str | tuple[str, str]] = {(SINK_STUCK, sink.name) for sink in facts.sinks if not sink.sure}
    if facts.free_bytes is None:
        unsure.add(HUB_DISK)
    return Judged(findings, frozenset(unsure))


def _certificate(seconds: float | None, limits: Limits) -> Iterator[Finding]:
    if seconds is not None and seconds < limits.certificate_days * DAY_SECONDS:
        message = (
            f"its certificate ends within {limits.certificate_days:g} days: enrol it again"
            " (`zeus token create` here, `artemis enroll` there)"
        )
        yield Finding(CERTIFICATE_ENDING, "", MEDIUM, message)


def _identity(facts: NodeFacts) -> Iterator[Finding]:
    if facts.clone:
        message = f"{_short(facts.clone)}: give each machine an identity of its own (`zeus token create`)"
        yield Finding(CLONE_SUSPECTED, "", HIGH, message)
    gone = (
        ("uplink", facts.missing, "alerts that the node sent never reached the hub's disk"),
        ("node", facts.unaccounted, "alerts are missing in the node's own books"),
        ("store", facts.unstored, "alerts that the hub took are not in its store"),
    )
    for subject, count, told in gone:
        if count > 0:
            message = f"{count} {told}: see `zeus ledger`, and keep the spool"
            yield Finding(UNACCOUNTED, subject, CRITICAL if count >= MANY_LOST else HIGH, message)


def _source(source: SourceFacts, limits: Limits, *, reads: bool) -> Iterator[Finding]:
    limit = _longest_quiet(source, limits)
    name = _short(source.name)
    if source.problem:
        message = f"{name} cannot be read ({_short(source.problem)}): run `artemis check` there"
        yield Finding(SOURCE_SILENT, source.name, HIGH, message)
    elif reads and source.quiet_seconds > limit:
        message = f"{name} has had no new line for {limit:g} s: check there that what writes it runs"
        yield Finding(SOURCE_SILENT, source.name, HIGH, message)
    if source.lag_grows:
        message = (
            f"more and more of {name} is unread: check there what takes the processor and the disk, and"
            " filter what need not be sent"
        )
        yield Finding(LAG_GROWING, source.name, MEDIUM, message)


def _longest_quiet(source: SourceFacts, limits: Limits) -> float:
    return limits.sensor_silent_seconds if source.steady else limits.source_silent_seconds


def _sensor(source: SourceFacts, limits: Limits) -> Iterator[Finding]:
    name = _short(source.name)
    if source.drops >= LEAST_DROPS and source.drops > limits.drops_share * source.packets:
        message = (
            f"the sensor behind {name} loses more than {limits.drops_share:.0%} of its packets: what it does"
            " not see raises no alert. Give it more memory or processors, or less traffic"
        )
        yield Finding(SENSOR_DROPS, source.name, HIGH, message)
    if source.still_seconds > limits.no_traffic_seconds:
        message = (
            f"the sensor behind {name} runs but has seen no packet for {limits.no_traffic_seconds:g} s:"
            " check the mirror port and its cable"
        )
        yield Finding(SENSOR_BLIND, source.name, HIGH, message)


def _spool(facts: NodeFacts, limits: Limits) -> Iterator[Finding]:
    if facts.backlog_grows:
        message = (
            f"its oldest alert has waited for more than {limits.lag_seconds:g} s, and waits ever longer:"
            " check its way to the hub, and `artemis status` there"
        )
        yield Finding(LAG_GROWING, "uplink", MEDIUM, message)
    if facts.spool_problem:
        message = f"its spool cannot be written ({_short(facts.spool_problem)}): make room there"
        yield Finding(SPOOL_FILLING, "", HIGH, message)
    elif facts.spool_share >= 1:
        message = (
            "its spool is full, so its logs are not read on: check its way to the hub before they are rotated"
            " away, or set a larger spool.max_bytes there"
        )
        yield Finding(SPOOL_FILLING, "", HIGH, message)
    elif facts.spool_share > limits.spool_share:
        message = (
            f"its spool is more than {limits.spool_share:.0%} full: check its way to the hub, or set a larger"
            " spool.max_bytes there"
        )
        yield Finding(SPOOL_FILLING, "", HIGH, message)


def _clock(facts: NodeFacts, limits: Limits) -> Iterator[Finding]:
    off = facts.skew_seconds
    if math.isfinite(off) and abs(off) > limits.clock_skew_seconds:
        message = (
            f"its clock is more than {limits.clock_skew_seconds:g} s {'ahead' if off > 0 else 'behind'}:"
            " times of its alerts are wrong. Check time synchronisation there, and here"
        )
        yield Finding(CLOCK_SKEW, "", MEDIUM, message)


def _canaries(canaries: Sequence[LostCanary]) -> Iterator[Finding]:
    for lost in canaries:
        message = (
            f"canaries of {_short(lost.source)} stop at the stage {lost.stage}: alerts stop there too."
            f" {'Run `artemis check` there' if lost.inside else 'See `zeus node show` and `zeus check`'}"
        )
        yield Finding(CANARY_LOST, lost.source, HIGH if lost.inside else MEDIUM, message)


def _sink(sink: SinkFacts, limits: Limits) -> Iterator[Finding]:
    if sink.stuck_seconds > limits.sink_stuck_seconds:
        reason = f" ({_short(sink.problem)})" if sink.problem else ""
        message = (
            f"the sink {sink.name} has taken nothing for {limits.sink_stuck_seconds:g} s{reason}: alerts are"
            " safe in the journal, and wait. Run `zeus check`"
        )
        yield Finding(SINK_STUCK, sink.name, CRITICAL, message)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
