"""What came of an alert, as `zeus alert show` tells it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeus_hub.aftermath import Told
    from zeus_hub.receivers.thehive.outcome import Outcome

COLUMNS = ["GROUP", "RECEIVER", "TOLD (UTC)", "REFERENCE", "WHAT CAME OF IT"]
SHOWN_DIGITS = 12  # of a group's id
LONGEST_SUMMARY = 200  # characters that a table shows


def view(told: "Sequence[Told]") -> list[dict[str, object]]:
    """Return groups with their receivers, for scripts."""
    groups: dict[str, list[dict[str, object]]] = {}
    for each in told:
        groups.setdefault(each.group, []).append(_receiver(each))
    return [{"id": group, "receivers": receivers} for group, receivers in groups.items()]


def row(told: "Told") -> list[object]:
    """Return a group's cells at one receiver in a table for people."""
    at = f"{told.at:%Y-%m-%d %H:%M:%S}" if told.at else _state(told)
    return [told.group[:SHOWN_DIGITS], told.receiver, at, told.reference, _words(told.outcome)]


def _receiver(told: "Told") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    outcome = {"outcome": _outcome(told.outcome)} if told.outcome else {}
    return {
        "name": told.receiver,
        "state": _state(told),
        "told": stamp(told.at) if told.at else None,
        "reference": told.reference,
        **outcome,
    }


def _state(told: "Told") -> str:
    return "told" if told.state is None else told.state.name.lower()


def _outcome(outcome: "Outcome") -> dict[str, object]:
    from socme.view import stamp  # noqa: PLC0415

    return {
        "of": outcome.of,
        "stage": outcome.stage,
        "status": outcome.status,
        "summary": outcome.summary,
        "impact": outcome.impact,
        "case": outcome.number or None,
        "changed": stamp(outcome.at),
    }


def _words(outcome: "Outcome | None") -> str:
    """Say in a few words how a group stands at a receiver, and since when."""
    from socme.text import clean  # noqa: PLC0415

    if outcome is None:
        return ""
    case = f"case {outcome.number or outcome.case}" if outcome.of == "case" or outcome.case else "alert"
    said = [each for each in (outcome.status, outcome.impact, outcome.summary) if each]
    words = ": ".join((f"{case} {outcome.stage}", *said))
    return f"{outcome.at:%Y-%m-%d %H:%M:%S} {clean(words, LONGEST_SUMMARY)}"
