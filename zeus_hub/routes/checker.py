"""Finds what is wrong with a matcher before there is an alert: unknown names, and types that do not fit.

CEL's engine itself tells of these when it meets them, which may be a year later, and takes `client == 3` for
false. What passes here gives true or false for every alert and never fails; so what cannot be known to work
(an entry of a list by its number, a sum that may overflow) is refused.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import cel
from lark import Token, Tree

from zeus_hub.routes.facts import CONSTANTS, FIELDS, LONGEST_TEXT, MOST_LISTED
from zeus_hub.routes.network import network
from zeus_hub.routes.syntax import LONGEST, MatcherError
from zeus_hub.routes.types import (
    HIGHEST,
    LOWEST,
    TEXT,
    TRUTH,
    Group,
    Listing,
    Number,
    Text,
    Truth,
    Type,
    calculated,
    joined,
    same,
    told,
)

DEEPEST_LOOPS = 2  # exists, all, … within each other: the work is multiplied
LONGEST_PATTERN = 500  # characters of a regular expression
# The engine builds a pattern anew for each alert, and refuses one that takes more than 10 MiB. One that it
# refuses when it stands there this many times takes milliseconds each time.
PATTERN_TIMES = 25
_BYTES_OF_CHARACTER = 4  # at the most: size() counts those
_MACROS = ("exists", "all", "exists_one", "filter", "map")
_METHODS = ("contains", "startsWith", "endsWith", "matches", "size", *_MACROS)
_FUNCTIONS = ("size", "in_network")

Node = Tree[Token]


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at some place: beside the fields, those that macros have bound."""

    bound: Mapping[str, Type] = field(default_factory=dict)
    loops: int = 0


def check(tree: Node) -> None:
    """Raise MatcherError where an expression is no matcher."""
    kind = _infer(tree, Scope())
    if not isinstance(kind, Truth):
        raise _error(tree, f"it must be true or false; this is {told(kind)}")


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a guess at what was meant, to end a sentence with; nothing where there is none."""
    close = get_close_matches(name, known, 1, 0.5)
    if not close:  # `ip` for source.ip
        close = [path for path in known if path.rpartition(".")[2] == name][:1]
    return f"; is it {close[0]}?" if close else ""


def _infer(node: Node, scope: Scope) -> Type:
    return _RULES[str(node.data)](node, scope)


def _choice(node: Node, scope: Scope) -> Type:
    asked, one, other = _nodes(node)
    _expect(asked, scope, Truth)
    kinds = _infer(one, scope), _infer(other, scope)
    for child, kind in zip((one, other), kinds, strict=True):
        _check_value(child, kind)
    _check_same(node, *kinds)
    return joined(*kinds)


def _logic(node: Node, scope: Scope) -> Type:
    for child in _nodes(node):
        _expect(child, scope, Truth)
    return TRUTH


def _relation(node: Node, scope: Scope) -> Type:
    left, right = _nodes(node)
    sign = next(child for child in node.children if isinstance(child, Token))
    one, other = _infer(left, scope), _infer(right, scope)
    if sign == "in":
        if not isinstance(other, Listing):
            mend = "; contains() looks into a text" if isinstance(other, Text) else ""
            raise _error(right, f"behind `in` there must be a list; this is {told(other)}{mend}")
        other = other.entry
    for child, kind in ((left, one), (right, other)):
        _check_value(child, kind)
    if sign.type == "ORDER" and not isinstance(one, Text | Number):
        raise _error(node, f"{told(one)} is neither more nor less than anything")
    _check_same(node, one, other)
    return TRUTH


def _calculation(node: Node, scope: Scope) -> Type:
    left, right = _nodes(node)
    sign = next(child for child in node.children if isinstance(child, Token))
    one, other = _expect_number(left, scope), _expect_number(right, scope)
    found = calculated(str(sign), one, other)
    if found is None:
        what = "divide by zero" if sign in ("/", "%") else "become too large"
        raise _error(node, f"this might {what}")
    return found


def _minus(node: Node, scope: Scope) -> Type:
    (child,) = _nodes(node)
    if child.data == "number":  # the lowest number has no opposite
        return _whole(child, "-")
    kind = _expect_number(child, scope)
    if kind.low == LOWEST:
        raise _error(node, "this might become too large")
    return Number(-kind.high, -kind.low)


def _field(node: Node, scope: Scope) -> Type:
    parent, name = node.children
    kind = _infer(parent, scope)  # type: ignore[arg-type]  # a token is only what stands last
    if not isinstance(kind, Group):
        raise _error(name, f"{told(kind)} has no field {name}")
    return _named(f"{kind.path}.{name}", name)


def _name(node: Node, scope: Scope) -> Type:
    (name,) = node.children
    return scope.bound.get(str(name)) or _named(str(name), name, scope.bound)


def _named(path: str, place: "Node | Token", bound: Iterable[str] = ()) -> Type:
    known = _NAMES.get(path)
    if known is not None:
        return known
    raise _error(place, f"there is no {path}{nearest(path, [*_NAMES, *bound])}")


def _method(node: Node, scope: Scope) -> Type:
    target, name, *rest = node.children
    arguments = _nodes(rest[0]) if rest else []
    if name not in _METHODS:
        raise _error(name, f"there is no function {name}(){nearest(str(name), _METHODS)}")
    if name in _MACROS:
        return _macro(node, arguments, scope)
    kind = _infer(target, scope)  # type: ignore[arg-type]
    if name == "size":
        _check_number_of(node, arguments, 0)
        return _size(target, kind)
    _check_number_of(node, arguments, 1)
    if not isinstance(kind, Text):
        mend = "; `in` looks into a list" if isinstance(kind, Listing) else ""
        raise _error(target, f"{name}() is for text; this is {told(kind)}{mend}")
    given = _expect(arguments[0], scope, Text)
    if name == "matches":
        if scope.loops == DEEPEST_LOOPS:
            raise _error(node, "matches() within two loops is too expensive; contains() is not")
        _check_pattern(arguments[0], given)
    return TRUTH


def _macro(node: Node, arguments: Sequence[Node], scope: Scope) -> Type:
    """Check `list.exists(name, condition)` and its kind."""
    target, macro = node.children[0], str(node.children[1])
    kind = _infer(target, scope)  # type: ignore[arg-type]
    if not isinstance(kind, Listing):
        raise _error(target, f"{macro}() is for lists; this is {told(kind)}")
    _check_number_of(node, arguments, 2)
    name = _bound_name(arguments[0], scope)
    if scope.loops == DEEPEST_LOOPS:
        raise _error(node, f"more than {DEEPEST_LOOPS} of {', '.join(_MACROS)} stand within each other")
    inner = replace(scope, bound={**scope.bound, name: kind.entry}, loops=scope.loops + 1)
    if macro == "map":
        made = _infer(arguments[1], inner)
        _check_value(arguments[1], made)
        return Listing(joined(made, made))
    _expect(arguments[1], inner, Truth)
    return kind if macro == "filter" else TRUTH


def _bound_name(node: Node, scope: Scope) -> str:
    if node.data != "name":
        raise _error(node, 'a name must stand first, as in rule.groups.exists(g, g == "sshd")')
    name = str(node.children[0])
    if name in _NAMES or name in scope.bound:
        raise _error(node, f"{name} means something already; take another name")
    return name


def _call(node: Node, scope: Scope) -> Type:
    name, *rest = node.children
    arguments = _nodes(rest[0]) if rest else []
    if name == "has":
        raise _error(node, 'every field is always there: compare it with "" or 0 instead')
    if name not in _FUNCTIONS:
        mend = (
            f"; write value.{name}(…)" if name in _METHODS else nearest(str(name), [*_FUNCTIONS, *_METHODS])
        )
        raise _error(node, f"there is no function {name}(){mend}")
    if name == "size":
        _check_number_of(node, arguments, 1)
        return _size(arguments[0], _infer(arguments[0], scope))
    _check_number_of(node, arguments, 2)
    _expect(arguments[0], scope, Text)
    _check_network(arguments[1], _expect(arguments[1], scope, Text))
    return TRUTH


def _size(node: "Node | Token", kind: Type) -> Number:
    if not isinstance(kind, Text | Listing):
        raise _error(node, f"size() is for text and lists; this is {told(kind)}")
    return Number(0, max(LONGEST_TEXT * _BYTES_OF_CHARACTER, MOST_LISTED, LONGEST))


def _entry(node: Node, _scope: Scope) -> Type:
    raise _error(node, "a list may have no such entry: use `in` or exists() instead of a number")


def _list(node: Node, scope: Scope) -> Type:
    children = _nodes(node)
    if not children:
        raise _error(node, "an empty list says nothing")
    kinds = [_infer(child, scope) for child in children]
    found = kinds[0]
    for child, kind in zip(children, kinds, strict=True):
        _check_value(child, kind)
        _check_same(child, found, kind)
        found = joined(found, kind)
    return Listing(found)


def _text(node: Node, _scope: Scope) -> Type:
    try:
        return Text(str(cel.evaluate(str(node.children[0]))))
    except ValueError as error:
        raise _error(node, r"this text has an escape that CEL does not know; write \\ for \ ") from error


def _number(node: Node, _scope: Scope) -> Type:
    return _whole(node, "")


def _whole(node: Node, sign: str) -> Number:
    digits = str(node.children[0])
    value = int(sign + digits, 16 if "x" in digits else 10)
    if not LOWEST <= value <= HIGHEST:
        raise _error(node, "this number is too large")
    return Number(value, value)


def _fraction(node: Node, _scope: Scope) -> Type:
    raise _error(node, "all numbers are whole: write it without a point, an exponent or a u")


def _null(node: Node, _scope: Scope) -> Type:
    raise _error(node, 'nothing is ever null: what an alert does not say is "", 0 or an empty list')


def _expect(node: Node, scope: Scope, wanted: type[Truth] | type[Text]) -> Type:
    kind = _infer(node, scope)
    if not isinstance(kind, wanted):
        raise _error(node, f"here must be {told(wanted())}; this is {told(kind)}")
    return kind


def _expect_number(node: Node, scope: Scope) -> Number:
    kind = _infer(node, scope)
    if not isinstance(kind, Number):
        raise _error(node, f"here must be a number; this is {told(kind)}")
    return kind


def _check_value(node: Node, kind: Type) -> None:
    if isinstance(kind, Group):
        inside = next(path for path in FIELDS if path.startswith(f"{kind.path}."))
        raise _error(node, f"{kind.path} is only the beginning of a name, as {inside}")


def _check_same(node: Node, one: Type, other: Type) -> None:
    if not same(one, other):
        raise _error(node, f"{told(one)} and {told(other)} are never the same")


def _check_number_of(node: Node, arguments: Sequence[Node], wanted: int) -> None:
    if len(arguments) != wanted:
        name = next(child for child in node.children if isinstance(child, Token))
        raise _error(node, f"{name}() takes {wanted} arguments between its brackets, not {len(arguments)}")


def _check_pattern(node: Node, given: Type) -> None:
    if not isinstance(given, Text) or given.value is None:
        raise _error(node, "the pattern must be written here as text, so that it can be checked")
    if len(given.value) > LONGEST_PATTERN:
        raise _error(node, f"the pattern is longer than {LONGEST_PATTERN} characters")
    fault = _pattern_fault(given.value)
    if fault:
        raise _error(node, f"this is no regular expression: {fault}")
    # A line feed ends a comment, which a pattern may end with.
    if _pattern_fault(f"(?:{given.value}\n){{{PATTERN_TIMES}}}"):
        raise _error(
            node, r"this pattern is too expensive: write [0-9] for \d, [A-Za-z0-9_] for \w, smaller counts"
        )


def _pattern_fault(pattern: str) -> str:
    """Return what the engine has against a pattern; nothing where it takes it."""
    try:
        cel.evaluate("text.matches(pattern)", {"text": "", "pattern": pattern})
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        return next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[0])
    return ""


def _check_network(node: Node, given: Type) -> None:
    if not isinstance(given, Text) or given.value is None:
        raise _error(node, 'the network must be written here as text, as "10.0.0.0/8"')
    try:
        network(given.value)
    except ValueError as error:
        raise _error(node, f"this is no network: {error}") from error


def _nodes(node: "Node | Token") -> list[Node]:
    return [child for child in node.children if isinstance(child, Tree)] if isinstance(node, Tree) else []


def _error(place: "Node | Token", reason: str) -> MatcherError:
    where = place.meta if isinstance(place, Tree) else place
    return MatcherError(reason, getattr(where, "line", 1) or 1, getattr(where, "column", 1) or 1)


def _names() -> dict[str, Type]:
    """Return all fields, constants and beginnings of names with what they are."""
    found: dict[str, Type] = {name: Number(value, value) for name, value in CONSTANTS.items()}
    for path, one in FIELDS.items():
        steps = path.split(".")
        for length in range(1, len(steps)):
            start = ".".join(steps[:length])
            found[start] = Group(start)
        kinds: Mapping[str, Type] = {
            "text": TEXT,
            "texts": Listing(TEXT),
            "number": Number(one.low, one.high),
        }
        found[path] = kinds[one.kind]
    return found


_NAMES = _names()

_RULES: Mapping[str, Callable[[Node, Scope], Type]] = {
    "choice": _choice,
    "either": _logic,
    "both": _logic,
    "negation": _logic,
    "relation": _relation,
    "sum": _calculation,
    "product": _calculation,
    "minus": _minus,
    "field": _field,
    "name": _name,
    "method": _method,
    "call": _call,
    "entry": _entry,
    "list": _list,
    "text": _text,
    "number": _number,
    "fraction": _fraction,
    "truth": lambda _node, _scope: TRUTH,
    "null": _null,
}
