"""A notice that may be written into anything for people: every text of it on one line, and bounded. Pure.

Whoever made the notice cleaned it already. What is sent to people's pockets does not rely on that.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from socme.text import clean
from zeus_hub.notice import MOST_OBSERVABLES

LONGEST = 500  # characters of one text: more than a person reads of it
MOST = MOST_OBSERVABLES  # the longest of a notice's lists

Value = TypeVar("Value")


def harmless(value: Value) -> Value:
    """Return a notice, or anything that is made of frozen dataclasses, tuples and texts, cleaned."""
    return cast("Value", _harmless(value))


def _harmless(value: Any) -> object:  # noqa: ANN401 - a value of any kind comes back as it was
    if isinstance(value, str):
        return clean(value, LONGEST)
    if isinstance(value, tuple):
        return tuple(_harmless(each) for each in value[:MOST])
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _harmless(getattr(value, each.name)) for each in fields(value)})
    return value
