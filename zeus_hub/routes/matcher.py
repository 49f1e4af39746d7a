"""Which alerts are meant: CEL expressions, checked once and run on each alert.

A subject is an alert as matchers see it; it is made once and asked by many, by one thread at a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cel

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.checker import check
from zeus_hub.routes.facts import NAMES, variables
from zeus_hub.routes.network import in_network
from zeus_hub.routes.syntax import MatcherError, conjuncts, parse, source

Subject = cel.Context
_FUNCTIONS = {"in_network": in_network}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an expression that is true or false by itself."""

    text: str
    program: cel.Program

    def holds(self, subject: Subject) -> bool:
        """Tell whether it is true of an alert."""
        return bool(self.program.execute(subject))


@dataclass(frozen=True, slots=True)
class Matcher:
    """An expression that is known to be true or false of any alert."""

    whole: Part
    parts: tuple[Part, ...]
    """What && joins at the top, in its order: all of them have to hold."""

    names: frozenset[str]
    """What the names in it begin with."""

    @property
    def text(self) -> str:
        """The expression as it was written."""
        return self.whole.text

    def holds(self, subject: Subject) -> bool:
        """Tell whether an alert is meant."""
        return self.whole.holds(subject)


def matcher(text: str) -> Matcher:
    """Return the matcher of an expression; raise MatcherError, which says where it is wrong and why."""
    tree = parse(text)
    check(tree)
    whole = _part(text)
    parts = tuple(_part(source(text, part)) for part in conjuncts(tree))
    return Matcher(whole, parts, NAMES.intersection(whole.program.variables()))


def names(matchers: Iterable[Matcher | None]) -> frozenset[str]:
    """Return what a subject must have for any of these to be asked."""
    return frozenset().union(*(each.names for each in matchers if each is not None))


def subject(stored: StoredAlert, names: Iterable[str] = NAMES) -> Subject:
    """Return an alert as those matchers see it whose `names` are given."""
    return cel.Context(variables(stored, names), _FUNCTIONS)


def _part(text: str) -> Part:
    try:
        return Part(text, cel.compile(text))
    except ValueError as error:  # what the engine cannot take though CEL allows it: very many brackets
        raise MatcherError(f"the engine refuses it: {str(error)[:200]}") from error
