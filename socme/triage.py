"""What the states and verdicts of an alert in people's hands are called, on the command line and in JSON."""

from collections.abc import Mapping

from socme.severity import UNKNOWN
from socme.v1.watch_pb2 import Triage, TriageStatus, Verdict

NEW = TriageStatus.TRIAGE_STATUS_NEW
ACKNOWLEDGED = TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED
CLOSED = TriageStatus.TRIAGE_STATUS_CLOSED

STATUSES: Mapping[int, str] = {NEW: "new", ACKNOWLEDGED: "acknowledged", CLOSED: "closed"}
OPEN = frozenset({NEW, ACKNOWLEDGED})
VERDICTS: Mapping[int, str] = {
    Verdict.VERDICT_TRUE_POSITIVE: "true-positive",
    Verdict.VERDICT_FALSE_POSITIVE: "false-positive",
    Verdict.VERDICT_BENIGN: "benign",
    Verdict.VERDICT_DUPLICATE: "duplicate",
}


def status_name(number: int) -> str:
    """Return "new", "acknowledged" or "closed", and "unknown" for one that this version does not know."""
    return STATUSES.get(number, UNKNOWN)


def view(told: Triage) -> dict[str, object]:
    """Return what people have done about an alert; what nobody has said is left out."""
    said = {"verdict": VERDICTS.get(told.verdict), "reason": told.reason, "owner": told.owner}
    return {
        "status": status_name(told.status),
        **{key: value for key, value in said.items() if value},
        "changed": f"{told.changed.ToDatetime():%Y-%m-%dT%H:%M:%S.%f}Z",
        "changed_by": told.changed_by,
        "comments": told.comments,
    }
