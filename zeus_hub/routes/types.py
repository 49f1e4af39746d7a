"""What the parts of a matcher are: texts, whole numbers with their bounds, truths and lists. Pure.

A number carries the lowest and the highest value that it can have, so that sums that might overflow and
divisions that might be by zero are found before there is an alert.
"""

from dataclasses import dataclass

LOWEST, HIGHEST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Text:
    """Text; `value` where it is written in the matcher itself."""

    value: str | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list whose entries are all of one type."""

    entry: "Type"


@dataclass(frozen=True, slots=True)
class Group:
    """The beginning of longer names, as `source` of source.ip: no value itself."""

    path: str


Type = Text | Number | Truth | Listing | Group

TRUTH = Truth()
TEXT = Text()


def told(kind: Type) -> str:
    """Return what a type is called."""
    match kind:
        case Text():
            return "text"
        case Number():
            return "a number"
        case Truth():
            return "true or false"
        case Listing(entry):
            return f"a list ({told(entry)})"
        case Group(path):
            return f"the group {path}.…"


def same(one: Type, other: Type) -> bool:
    """Tell whether two types are the same, whatever values they hold."""
    if isinstance(one, Listing) and isinstance(other, Listing):
        return same(one.entry, other.entry)
    return type(one) is type(other)


def joined(one: Type, other: Type) -> Type:
    """Return the type of what may be either of two values of the same type."""
    match one, other:
        case Number(), Number():
            return Number(min(one.low, other.low), max(one.high, other.high))
        case Text(), Text():
            return TEXT
        case Listing(), Listing():
            return Listing(joined(one.entry, other.entry))
    return one


def calculated(sign: str, one: Number, other: Number) -> Number | None:
    """Return what a calculation may give; None where it might fail."""
    if sign in "/%":
        return _divided(sign, one, other)
    corners = [
        _reckoned(sign, left, right) for left in (one.low, one.high) for right in (other.low, other.high)
    ]
    low, high = min(corners), max(corners)
    return Number(low, high) if low >= LOWEST and high <= HIGHEST else None


def _divided(sign: str, one: Number, other: Number) -> Number | None:
    """Return what a division may give: both lie between what is divided and its opposite."""
    if other.low <= 0 <= other.high or (one.low == LOWEST and other.low <= -1 <= other.high):
        return None
    most = max(abs(one.low), abs(one.high))
    if sign == "%":
        most = min(most, max(abs(other.low), abs(other.high)) - 1)
    return Number(-most, most)


def _reckoned(sign: str, left: int, right: int) -> int:
    if sign == "+":
        return left + right
    return left - right if sign == "-" else left * right
