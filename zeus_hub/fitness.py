"""Whether a hub can go by rules that are right by themselves: what it needs for them, what is hardly meant.

The hub asks this when it reads its rules, and `zeus route list` and `zeus check` beforehand.
"""

import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress

from socme.errors import OperatorError
from zeus_hub import office, registry
from zeus_hub.digest import Digests
from zeus_hub.office import Made
from zeus_hub.receivers import kinds
from zeus_hub.routes.rules import Receiver, Report, Route, Rules

Build = Callable[[Receiver], Made]
"""Returns what is made of a table; raises OperatorError, with the place where it is described."""

MOST_TOLD = 50  # faults in one message
_READ_OR_WRITTEN = stat.S_IROTH | stat.S_IWOTH


def build(described: Receiver) -> Made:
    """Return a receiver; raise OperatorError with the place where it is described."""
    options, beside = {"kind": described.kind, **described.options}, described.place.file.parent
    try:
        return Made(kinds.build(described.name, options, beside), kinds.poll(options, beside))
    except OperatorError as error:
        said = f"{described.place}: receiver.{described.name}: {error.args[0]}"
        raise OperatorError(said, error.mend) from error


def make(rules: Rules, wanted: Iterable[Receiver], maker: Build = build) -> dict[str, Made]:
    """Return the receivers that are wanted, by name.

    Raise OperatorError, which tells of everything that is in the way: of them, and of the reports' words.
    """
    faults = list(_wordless(rules))
    made: dict[str, Made] = {}
    for each in wanted:
        try:
            made[each.name] = maker(each)
        except OperatorError as error:
            faults.append(error)
    if faults:
        raise _joined(faults)
    return made


def odd(rules: Rules, clients: Collection[str] | None) -> Iterator[str]:
    """Yield what is hardly meant; the names of the clients that there are, None where nobody knows."""
    yield from rules.warnings
    yield from _exposed(rules)
    if clients is None:
        return
    hub = {registry.HUB[0]}  # has alerts of its own, and no reports
    for route in rules.routes:
        yield from _strangers("route", route, {*clients, *hub})
    for report in rules.reports:
        yield from _strangers("report", report, {*clients} - hub)


def _wordless(rules: Rules) -> Iterator[OperatorError]:
    """Yield, with the place of the report, why its words cannot be made."""
    known: set[tuple[object, ...]] = set()  # each takes an eighth of a second
    for report in rules.reports:
        for name in report.receivers:
            options = rules.receivers[name].options
            words = (options.get("language"), str(options.get("templates")), report.zone.key)
            if words in known:
                continue
            known.add(words)
            try:
                Digests(office.templates(rules.receivers[name])(report.zone))
            except OperatorError as error:
                said = f"{report.place}: report {report.name}: {error.args[0]}"
                yield OperatorError(said, error.mend)


def _joined(faults: Sequence[OperatorError]) -> OperatorError:
    first, *others = faults
    if not others:
        return first
    lines = [
        f"{first.args[0]}, and {len(others)} more",
        *(f"    {each.args[0]}" for each in others[:MOST_TOLD]),
    ]
    if len(others) > MOST_TOLD:
        lines.append("    …")
    return OperatorError("\n".join(lines), "Mend what is named.")


def _exposed(rules: Rules) -> Iterator[str]:
    """Yield which secrets everybody may read, or replace."""
    for each in rules.receivers.values():
        for path in kinds.secrets(each.options, each.place.file.parent):
            with suppress(OSError, ValueError):  # who reads it says so
                if path.stat().st_mode & _READ_OR_WRITTEN:
                    yield f"{each.place}: receiver.{each.name}: its secret is everybody's: chmod 600 {path}"


def _strangers(what: str, one: Route | Report, known: set[str]) -> Iterator[str]:
    for name in sorted((one.clients or frozenset()) - known):
        yield f"{one.place}: {what} {one.name} is for a client that there is not: {name}"
