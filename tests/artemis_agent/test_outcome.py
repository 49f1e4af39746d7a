import pytest

from artemis_agent.outcome import LONGEST_REASON, Lost, Refused, judge


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAUTHENTICATED"])
def test_a_hub_that_says_who_may_not_come_in_is_asked_seldom(code: str) -> None:
    assert judge(code, "acme/acme-1 was revoked", steady=True, welcomed=True) == Refused(
        "acme/acme-1 was revoked"
    )


@pytest.mark.parametrize(
    ("code", "steady"),
    [
        ("UNAVAILABLE", True),
        ("OK", True),
        ("UNKNOWN", True),
        ("ABORTED", False),  # two machines with one identity would take each other's place for ever
        ("INVALID_ARGUMENT", False),  # the same batch would meet the same end
        ("FAILED_PRECONDITION", False),
        ("RESOURCE_EXHAUSTED", False),
        ("UNIMPLEMENTED", False),
    ],
)
def test_what_would_end_the_same_way_again_is_tried_ever_more_slowly(code: str, *, steady: bool) -> None:
    """Even where the connection had been of use: the other lane may have flowed."""
    outcome = judge(code, "why", steady=True, welcomed=True)

    assert isinstance(outcome, Lost)
    assert outcome.steady is steady
    assert not isinstance(again := judge(code, "why", steady=False, welcomed=False), Refused)
    assert not again.steady


def test_what_a_hub_says_is_made_safe() -> None:
    outcome = judge("INTERNAL", "\x1b[2J" + "x" * 1000, steady=False, welcomed=False)

    assert outcome.reason.startswith("INTERNAL: \N{REPLACEMENT CHARACTER}[2J")
    assert len(outcome.reason) <= LONGEST_REASON + len("INTERNAL: ")


def test_a_certificate_that_may_have_been_refused_is_named() -> None:
    """TLS 1.3 tells a client no more than that the socket is closed."""
    assert "artemis check" in judge("UNAVAILABLE", "Socket closed", steady=False, welcomed=False).reason
    assert "artemis check" not in judge("UNAVAILABLE", "Socket closed", steady=True, welcomed=True).reason
