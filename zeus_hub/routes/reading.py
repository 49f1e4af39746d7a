"""Reads the rules that people have written: all files of a folder as one, or all that is wrong with them."""

import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from socme.errors import OperatorError
from socme.text import clean
from zeus_hub.plan import RULE_FILES
from zeus_hub.rota import Rota
from zeus_hub.routes import calendars
from zeus_hub.routes.checker import nearest
from zeus_hub.routes.lines import first_line, line_of, syntax_line
from zeus_hub.routes.rules import (
    TAKE_REPORTS,
    TAKEN,
    Escalation,
    Inhibition,
    OnCall,
    Place,
    Receiver,
    Report,
    Route,
    Rules,
)
from zeus_hub.routes.sections import (
    LONGEST_NAME,
    InhibitSection,
    MuteSection,
    ReportSection,
    RotaSection,
    RouteSection,
    RulesFile,
)

MOST_FILES = 1000
LONGEST_FILE = 1024 * 1024  # bytes
MOST_ROUTES = 1000
MOST_REPORTS = 1000
MOST_STRANGERS = 10  # names in one warning
MOST_TOLD = 50  # problems in one message
LONGEST_REASON = 500  # characters

_PHRASES = {
    "extra_forbidden": "there is no such key",
    "missing": "this key is needed",
    "tuple_type": "write a list in [square brackets]",
    "dict_type": "write a table",
    "model_type": "write a table",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "string_type": "write it in quotes",
    "string_pattern_mismatch": f"a name has 1 to {LONGEST_NAME} letters, digits, blanks, '.', '_' and '-'",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    place: Place
    reason: str

    def __str__(self) -> str:
        """Return it as compilers do."""
        return f"{self.place}: {self.reason}"


class RulesError(OperatorError):
    """The rules are refused as a whole; `problems` has all that is wrong, the message the first of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first, *others = problems
        more = f", and {len(others)} more" if others else ""
        shown = [f"    {problem}" for problem in others[:MOST_TOLD]]
        if len(others) > MOST_TOLD:
            shown.append("    …")
        super().__init__("\n".join([f"wrong rules: {first}{more}", *shown]), "Mend what is named.")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    text: str
    content: RulesFile

    def place(self, *steps: str | int) -> Place:
        return Place(self.path, line_of(self.text, steps))


@dataclass(slots=True)
class _Reading:
    """What has been read so far, and what is wrong with it."""

    files: list[_File] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, place: Place, reason: str) -> None:
        self.problems.append(Problem(place, clean(reason, LONGEST_REASON)))


def load(folder: Path) -> Rules:
    """Return the rules of all `*.toml` files of a folder, in the order of their names.

    A folder that is not there has none. Raise RulesError, which tells of everything that is wrong.
    """
    reading = _Reading()
    paths = sorted(folder.glob(RULE_FILES))
    if len(paths) > MOST_FILES:
        reading.wrong(Place(folder, 1), f"there are more than {MOST_FILES} files")
    for path in paths[:MOST_FILES]:
        _read(reading, path)
    # What is in a file that cannot be read would be missed by the others.
    rules = None if reading.problems else _whole(reading)
    if rules is None or reading.problems:
        raise RulesError(sorted(reading.problems, key=lambda each: (each.place.file, each.place.line)))
    return rules


def _read(reading: _Reading, path: Path) -> None:
    """Add one file, or what is wrong with it."""
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST_FILE + 1)
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        reading.wrong(Place(path, 1), f"cannot be read: {error}")
        return
    if len(raw) > LONGEST_FILE:
        reading.wrong(Place(path, 1), f"is longer than {LONGEST_FILE} bytes")
        return
    try:
        values = tomllib.loads(text)
        reading.files.append(_File(path, text, RulesFile.model_validate(values)))
    except tomllib.TOMLDecodeError as error:
        reading.wrong(Place(path, syntax_line(str(error))), f"not TOML: {error}")
    except RecursionError:
        reading.wrong(Place(path, 1), "is nested too deeply")
    except ValidationError as error:
        for where, reason, line in _explained(error):
            at = line_of(text, where)
            reading.wrong(Place(path, first_line(text, at) + line - 1 if line else at), reason)


def _explained(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str, int]]:
    """Yield where what is wrong, in words of the file, and the line of an expression, from 1 on, or 0.

    What stands there is not told: it may be a secret.
    """
    problems = error.errors(include_url=False, include_input=False)
    for problem in problems:
        where = problem["loc"]
        # A list whose one entry is wrong counts as empty, too: that is no news.
        if any(other["loc"][: len(where)] == where for other in problems if len(other["loc"]) > len(where)):
            continue
        reason = _PHRASES.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        line = int(problem.get("ctx", {}).get("line", 0))
        yield where, f"{'.'.join(str(step) for step in where) or 'the file'}: {reason}", line


def _whole(reading: _Reading) -> Rules:
    """Return the rules of files that are right each by itself, and find what is wrong between them."""
    receivers = dict(_receivers(reading))
    mutes = dict(_mutes(reading))
    rotas = dict(_rotas(reading, receivers))
    reports = list(_reports(reading, receivers))
    routes = [
        route
        for file in reading.files
        for number, section in enumerate(file.content.route)
        for route in [_route(reading, file, number, section, mutes)]
    ]
    inhibitions = [
        _inhibition(file, number, section)
        for file in reading.files
        for number, section in enumerate(file.content.inhibit)
    ]
    _check_names(reading, routes)
    _check_receivers(reading, routes, [*receivers, *rotas])
    if len(routes) > MOST_ROUTES:
        reading.wrong(routes[MOST_ROUTES].place, f"there are more than {MOST_ROUTES} routes")
    warnings = (*_warnings(routes, receivers, mutes, rotas, reports), *_strangers(rotas))
    return Rules(tuple(routes), tuple(inhibitions), receivers, warnings, rotas, tuple(reports))


def _receivers(reading: _Reading) -> Iterator[tuple[str, Receiver]]:
    seen: dict[str, Place] = {}
    for file in reading.files:
        for name, options in file.content.receiver.items():
            place, kind = file.place("receiver", name), options.get("kind")
            if name in seen:
                reading.wrong(place, f"receiver.{name}: this name is taken, in {seen[name]}")
            if not isinstance(kind, str) or not kind:
                reading.wrong(place, f'receiver.{name}: say what it is, as kind = "…"')
                kind = ""
            if name in TAKEN:
                reading.wrong(
                    place, f"receiver.{name}: no receiver can be called so: the hub has its own {name}"
                )
            seen[name] = place
            rest = {key: value for key, value in options.items() if key != "kind"}
            yield name, Receiver(name, kind, rest, place)


def _rotas(reading: _Reading, receivers: Mapping[str, Receiver]) -> Iterator[tuple[str, OnCall]]:
    seen = {name: receiver.place for name, receiver in receivers.items()}
    for file in reading.files:
        for name, section in file.content.rota.items():
            place = file.place("rota", name)
            if name in seen:
                reading.wrong(place, f"rota.{name}: this name is taken, in {seen[name]}")
            seen[name] = place
            for person, receiver in (*section.people.items(), ("otherwise", section.otherwise)):
                if receiver not in receivers:
                    guess = nearest(receiver, list(receivers))
                    reading.wrong(place, f"rota.{name}: {person}: there is no [receiver.{receiver}]{guess}")
            yield (
                name,
                OnCall(
                    name=name,
                    place=place,
                    rota=_calendar(reading, file, name, section),
                    people=section.people,
                    otherwise=section.otherwise,
                ),
            )


def _calendar(reading: _Reading, file: _File, name: str, section: RotaSection) -> Rota:
    try:
        return calendars.load(file.path.parent / section.calendar, section.zone)
    except OperatorError as error:
        reading.wrong(file.place("rota", name, "calendar"), f"rota.{name}: {error.args[0]}")
        return Rota(())


def _reports(reading: _Reading, receivers: Mapping[str, Receiver]) -> Iterator[Report]:
    seen: dict[str, Place] = {}
    for file in reading.files:
        for number, section in enumerate(file.content.report):
            place = file.place("report", number)
            if section.name in seen:
                reading.wrong(place, f"report {section.name}: this name is taken, in {seen[section.name]}")
            if len(seen) >= MOST_REPORTS:
                reading.wrong(place, f"there are more than {MOST_REPORTS} reports")
                return
            seen[section.name] = place
            _check_readers(reading, file.place("report", number, "receivers"), section, receivers)
            yield Report(
                name=section.name,
                place=place,
                kind=section.kind,
                clients=None if section.clients is None else frozenset(section.clients),
                at=section.at,
                zone=section.zone,
                receivers=tuple(dict.fromkeys(section.receivers)),
            )


def _check_readers(
    reading: _Reading, place: Place, section: ReportSection, receivers: Mapping[str, Receiver]
) -> None:
    """Refuse receivers that are none, or cannot take a report."""
    for name in dict.fromkeys(section.receivers):
        found = receivers.get(name)
        if found is None:
            guess = nearest(name, list(receivers))
            reading.wrong(place, f"report {section.name}: there is no [receiver.{name}]{guess}")
        elif found.kind not in TAKE_REPORTS:
            kinds = " or ".join(f'"{kind}"' for kind in sorted(TAKE_REPORTS))
            reading.wrong(
                place,
                f'report {section.name}: receiver.{name} is of kind "{found.kind}", which can take no report:'
                f" only {kinds} can",
            )


def _mutes(reading: _Reading) -> Iterator[tuple[str, tuple[MuteSection, Place]]]:
    seen: dict[str, Place] = {}
    for file in reading.files:
        for number, section in enumerate(file.content.mute):
            place = file.place("mute", number, "name")
            if section.name in seen:
                reading.wrong(place, f"mute {section.name}: this name is taken, in {seen[section.name]}")
            seen[section.name] = place
            yield section.name, (section, place)


def _route(
    reading: _Reading,
    file: _File,
    number: int,
    section: RouteSection,
    mutes: dict[str, tuple[MuteSection, Place]],
) -> Route:
    for key in ("mute", "active"):
        for name in getattr(section, key):
            if name not in mutes:
                guess = nearest(name, list(mutes))
                reading.wrong(
                    file.place("route", number, key),
                    f"route {section.name}: no [[mute]] is called {name}{guess}",
                )
    return Route(
        name=section.name,
        place=file.place("route", number),
        clients=None if section.clients is None else frozenset(section.clients),
        match=section.match,
        group_by=_with_client(section.group_by),
        group_wait=section.group_wait,
        group_interval=section.group_interval,
        repeat_interval=section.repeat_interval,
        resolve_after=section.resolve_after,
        receivers=tuple(dict.fromkeys(section.receivers)),
        goes_on=section.continue_,
        mute=tuple(mutes[name][0].hush() for name in section.mute if name in mutes),
        active=tuple(mutes[name][0].hush() for name in section.active if name in mutes),
        urgent=section.severity(),
        escalate=tuple(Escalation(step.after, step.receivers) for step in section.escalate),
    )


def _inhibition(file: _File, number: int, section: InhibitSection) -> Inhibition:
    return Inhibition(
        place=file.place("inhibit", number),
        source=section.source,
        target=section.target,
        equal=_with_client(section.equal),
    )


def _with_client(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(["client", *paths]))


def _check_names(reading: _Reading, routes: Sequence[Route]) -> None:
    seen: dict[str, Place] = {}
    for route in routes:
        if route.name in seen:
            reading.wrong(route.place, f"route {route.name}: this name is taken, in {seen[route.name]}")
        seen.setdefault(route.name, route.place)


def _told(route: Route) -> list[str]:
    """Return all receivers that a route names."""
    return [*route.receivers, *(name for step in route.escalate for name in step.receivers)]


def _check_receivers(reading: _Reading, routes: Sequence[Route], known: Sequence[str]) -> None:
    for route in routes:
        for name in dict.fromkeys(_told(route)):
            if name not in known:
                guess = nearest(name, known)
                reading.wrong(route.place, f"route {route.name}: there is no [receiver.{name}]{guess}")


def _warnings(
    routes: Sequence[Route],
    receivers: Mapping[str, Receiver],
    mutes: Mapping[str, tuple[MuteSection, Place]],
    rotas: Mapping[str, OnCall],
    reports: Sequence[Report],
) -> Iterator[str]:
    """Yield what is not wrong, but hardly meant."""
    told = {name for route in routes for name in _told(route)}
    turns = {name for rota in rotas.values() for name in (*rota.people.values(), rota.otherwise)}
    used = told | turns | {name for report in reports for name in report.receivers}
    named = {each.name for route in routes for each in (*route.mute, *route.active)}
    idle = [
        *((each.place, f"receiver.{each.name}") for each in receivers.values() if each.name not in used),
        *((each.place, f"rota.{each.name}") for each in rotas.values() if each.name not in told),
        *((place, f"mute {name}") for name, (_, place) in mutes.items() if name not in named),
    ]
    for place, name in idle:
        yield f"{place}: no route names {name}"
    for route, below in itertools.pairwise(routes):
        if route.match is None and route.clients is None and not route.goes_on:
            yield f"{below.place}: never tried, since {route.name} ({route.place}) takes all alerts"
            return


def _strangers(rotas: Mapping[str, OnCall]) -> Iterator[str]:
    """Yield who is on call by a calendar and not among the people: misspelt, or a new colleague."""
    for rota in rotas.values():
        names = sorted({duty.name for duty in rota.rota.duties} - rota.people.keys())
        if names:
            told = ", ".join(names[:MOST_STRANGERS])
            yield f"{rota.place}: the calendar of rota.{rota.name} names others than its people: {told}"
