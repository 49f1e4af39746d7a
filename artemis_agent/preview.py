"""What would leave the site if whole files were new: `artemis sift FILE…`.

The files go through the same steps as in the daemon: sift, normalise as far as the filter asks, copies and
filter. A file without a kind is judged by its first record.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from artemis_agent import suricata
from artemis_agent.candidates import candidates_in_file
from artemis_agent.decode import UndecodableError, decode
from artemis_agent.filter import WAZUH_COPY, Drop, verdict
from artemis_agent.line_file import open_line_file
from artemis_agent.normalise import Normalised, NotAnAlert, Undecodable, glance
from artemis_agent.source import Kind, Record, Reject
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Alert, Severity

_FIRST_LINES = 100  # of which one must tell what wrote the file
_FIRST_BYTES = (64 * 1024, 4 * 1024 * 1024)  # the second where the first do not tell


class _Record(msgspec.Struct):
    event_type: object = None
    rule: object = None


_DECODER = msgspec.json.Decoder(_Record)
_Candidate: TypeAlias = Record | Reject
_Outcome: TypeAlias = Normalised | NotAnAlert | Undecodable


class Log(msgspec.Struct, frozen=True):
    """A file, and what wrote it."""

    path: Path
    kind: Kind


class Judged(msgspec.Struct, frozen=True):
    """One candidate, and what becomes of it."""

    log: Log
    offset: int
    raw: bytes
    """The whole line, or the beginning of one that is too long."""
    alert: Alert | None
    """None where the record is none."""
    stays: str
    """Why it stays on the site; empty when it leaves."""


def judge(logs: Sequence[Log], *, min_severity: Severity.ValueType, keep_both: bool) -> Iterator[Judged]:
    """Yield every candidate of the files in order, with what becomes of it."""
    originals = () if keep_both else _original_keys(logs)
    for log in logs:
        for candidate, found in _found(log):
            yield _judge(log, candidate, found, min_severity, originals)


def kind_of(path: Path) -> Kind:
    """Return what wrote a file, by its first record that tells."""
    head = b""
    for size in _FIRST_BYTES:
        head = _head(path, size)
        for line in head.split(b"\n", _FIRST_LINES)[:_FIRST_LINES]:
            kind = _kind_of_line(line)
            if kind:
                return kind
    if not head.strip():
        return "suricata"  # an empty file holds as little of either
    raise OperatorError(
        f"cannot tell what wrote {path}: no record of Suricata or Wazuh in its first lines",
        "Say it with --kind suricata or --kind wazuh.",
    )


def _head(path: Path, size: int) -> bytes:
    try:
        file = open_line_file(path)
        try:
            return os.pread(file.descriptor, size, 0)
        finally:
            file.close()
    except OSError as error:
        raise OperatorError(
            f"cannot read {path}: {error.strerror}", "Name a file that you may read."
        ) from error


def _kind_of_line(line: bytes) -> Kind | None:
    try:
        record = decode(line, _DECODER, _Record)
    except UndecodableError:
        return None
    if record is None:
        return None
    if record.event_type is not None:
        return "suricata"
    return "wazuh" if record.rule is not None else None


def _original_keys(logs: Sequence[Log]) -> Collection[int]:
    """Return the keys of all Suricata alerts, where there is a Wazuh file that may hold copies of them."""
    if not any(log.kind == "wazuh" for log in logs):
        return ()
    keys = set()
    for log in logs:
        if log.kind == "suricata":
            for candidate in candidates_in_file(log.path, log.kind):
                if isinstance(candidate, Record) and (key := _key(candidate)) is not None:
                    keys.add(key)
    return keys


def _key(record: Record) -> int | None:
    try:
        found = suricata.read(record.raw)
    except UndecodableError:
        return None
    return found[1] if found else None


def _judge(
    log: Log, candidate: _Candidate, found: _Outcome, least: Severity.ValueType, originals: Collection[int]
) -> Judged:
    raw = candidate.raw if isinstance(candidate, Record) else candidate.head
    match found:
        case NotAnAlert():
            return Judged(log, candidate.offset, raw, None, "not an alert")
        case Undecodable(reason):
            return Judged(log, candidate.offset, raw, None, f"undecodable: {reason}")
        case Normalised(alert, _, copy_of):
            judged = Drop(WAZUH_COPY) if copy_of in originals else verdict(alert, least)
            stays = judged.reason if isinstance(judged, Drop) else ""
            return Judged(log, candidate.offset, raw, alert, stays)


def _found(log: Log) -> Iterator[tuple[_Candidate, _Outcome]]:
    for candidate in candidates_in_file(log.path, log.kind):
        if isinstance(candidate, Reject):
            yield candidate, Undecodable(candidate.reason)
        else:
            yield candidate, glance(candidate, kind=log.kind)
