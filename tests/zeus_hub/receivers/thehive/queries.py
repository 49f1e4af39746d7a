"""The part of TheHive's query language that is used: anything else is refused."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

_COMPARED: Mapping[str, Callable[..., bool]] = {
    "_in": lambda held, asked: held in asked,
    "_between": lambda held, least, above: held is not None and least <= held < above,
    "_eq": lambda held, asked: bool(held == asked),
    "_ne": lambda held, asked: bool(held != asked),
    "_lt": lambda held, asked: held is not None and held < asked,
    "_lte": lambda held, asked: held is not None and held <= asked,
    "_gt": lambda held, asked: held is not None and held > asked,
    "_gte": lambda held, asked: held is not None and held >= asked,
    "_startsWith": lambda held, asked: held is not None and held.startswith(asked),
    "_endsWith": lambda held, asked: held is not None and held.endswith(asked),
    "_like": lambda held, asked: held is not None and asked in held,
}
EXTRA = frozenset({"caseNumber", "importDate", "status", "procedureCount"})


class BadQueryError(Exception):
    """A query that TheHive would not understand."""


def matches(row: Row, condition: Mapping[str, Any]) -> bool:
    """Tell whether a filter lets a row pass."""
    if len(condition) != 1:
        raise BadQueryError(f"one condition is expected: {sorted(condition)}")
    name, told = next(iter(condition.items()))
    if name in _JOINED:
        return _JOINED[name](row, told)
    fields = {"_in": {"_field", "_values"}, "_between": {"_field", "_from", "_to"}}
    if name not in _COMPARED or told.keys() != fields.get(name, {"_field", "_value"}):
        raise BadQueryError(f"no filter {name} with {told}")
    asked = [value for key, value in told.items() if key != "_field"]
    return _COMPARED[name](row.get(told["_field"]), *asked)


_JOINED: Mapping[str, Callable[[Row, Any], bool]] = {
    "_and": lambda row, told: all(matches(row, each) for each in told),
    "_or": lambda row, told: any(matches(row, each) for each in told),
    "_not": lambda row, told: not matches(row, told),
    "_any": lambda _, __: True,
    "_id": lambda row, told: bool(row["_id"] == told),
    "_has": lambda row, told: row.get(told) is not None,
}


def narrowed(rows: Sequence[Row], step: Mapping[str, Any]) -> list[Row]:
    """Return what a step that filters, sorts or cuts leaves."""
    rest = {key: value for key, value in step.items() if key != "_name"}
    if step["_name"] == "filter":
        return [row for row in rows if matches(row, rest)]
    if step["_name"] == "sort" and rest.keys() == {"_fields"}:
        found = list(rows)
        for field in reversed(rest["_fields"]):
            (key, direction), *more = field.items()
            if more or direction not in ("asc", "desc"):
                raise BadQueryError(f"no order {field}")
            found.sort(key=lambda row, key=key: row.get(key) or 0, reverse=direction == "desc")  # type: ignore[misc]
        return found
    if step["_name"] == "page" and {"from", "to"} <= rest.keys() <= {"from", "to", "extraData"}:
        if not 0 <= rest["from"] <= rest["to"] or set(rest.get("extraData", [])) - EXTRA:
            raise BadQueryError(f"no page {rest}")
        return list(rows[rest["from"] : rest["to"]])
    raise BadQueryError(f"no step {dict(step)}")
