"""What states and verdicts are called."""

from socme import triage
from socme.v1.watch_pb2 import Triage, TriageStatus, Verdict


def test_every_status_and_verdict_has_a_name_of_its_own() -> None:
    """All but those that stand for what this version does not know."""
    assert set(triage.STATUSES) == set(TriageStatus.values()) - {0}
    assert set(triage.VERDICTS) == set(Verdict.values()) - {0}
    assert len(set(triage.STATUSES.values())) == 3
    assert len(set(triage.VERDICTS.values())) == 4
    assert triage.status_name(99) == "unknown"


def test_a_view_leaves_out_what_nobody_has_said() -> None:
    told = Triage(status=triage.ACKNOWLEDGED, changed_by="ada")
    told.changed.FromJsonString("2026-07-01T12:00:00.5Z")

    assert triage.view(told) == {
        "status": "acknowledged",
        "changed": "2026-07-01T12:00:00.500000Z",
        "changed_by": "ada",
        "comments": 0,
    }


def test_a_verdict_of_a_newer_version_is_left_out() -> None:
    told = Triage(status=triage.CLOSED, verdict=99, reason="why", owner="bob")  # type: ignore[arg-type]

    assert triage.view(told)["reason"] == "why"
    assert "verdict" not in triage.view(told)
