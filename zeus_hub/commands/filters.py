"""The filters of alerts, as options of each command that takes them, and the alerts that are named by ids."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from socme.errors import OperatorError
from zeus_hub.commands.options import (
    ClientOption,
    IpOption,
    MinSeverityOption,
    NodeOption,
    RuleOption,
    SeverityOption,
    SinceOption,
    SourceOption,
    TechniqueOption,
    TextOption,
    UntilOption,
    plain,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from socme.v1.watch_pb2 import StoredAlert
    from zeus_hub.alerts import Filters

_ID = re.compile(r"[0-9a-f]{6,32}")
_OPEN = "open"  # neither a status nor a filter by itself: all that is not closed


def digits(text: str) -> str:
    """Read an id, or the beginning of one."""
    found = text.strip().lower()
    if _ID.fullmatch(found) is None:
        raise typer.BadParameter(f"{text!r} is no id: give 6 to 32 hexadecimal digits of one")
    return found


def statuses(text: str) -> frozenset[int]:
    """Read the name of a status, or "open"."""
    from socme.triage import OPEN, STATUSES  # noqa: PLC0415 - --help must be quick

    name = text.strip().lower()
    if name == _OPEN:
        return OPEN
    numbers = {known: number for number, known in STATUSES.items()}
    if name not in numbers:
        raise typer.BadParameter(f"{text!r} is none of {', '.join([*numbers, _OPEN])}")
    return frozenset({numbers[name]})


StatusOption = Annotated[
    # Typer takes a set for many values; a parser gives one.
    str | None,
    typer.Option(
        "--status",
        metavar="new|acknowledged|closed|open",
        parser=statuses,
        help="Only where it stands there; open is what is not closed.",
    ),
]
OwnerOption = Annotated[
    str | None,
    typer.Option(
        "--owner", metavar="NAME", parser=plain, help="Only what this person looks after; '': nobody."
    ),
]


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the filters of alerts as options; they reach it as its one parameter `filters`."""
    own = [one for one in inspect.signature(command).parameters.values() if one.name != "filters"]
    options = list(inspect.signature(_filters).parameters.values())

    @functools.wraps(command)
    def run(**values: object) -> None:
        given = {option.name: values.pop(option.name) for option in options}
        command(**values, filters=_filters(**given))  # type: ignore[arg-type]  # as Typer has read them

    parameters = [*own, *options]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer looks at
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _filters(  # noqa: PLR0913 - each is an option
    *,
    client: ClientOption = None,
    node: NodeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    severity: SeverityOption = None,
    min_severity: MinSeverityOption = None,
    source: SourceOption = None,
    rule: RuleOption = None,
    ip: IpOption = None,
    technique: TechniqueOption = None,
    text: TextOption = None,
    status: StatusOption = None,
    owner: OwnerOption = None,
) -> "Filters":
    from zeus_hub.alerts import Filters  # noqa: PLC0415

    return Filters(
        client,
        node,
        since,
        until,
        severity,
        min_severity,
        source,
        rule,
        ip,
        technique,
        text,
        status,  # type: ignore[arg-type]  # the parser makes a set of it
        owner,
    )


def named(engine: "Engine", ids: Sequence[str]) -> "Iterator[StoredAlert]":
    """Yield the alerts that are meant by ids or beginnings of ids; several where nodes sent the same id."""
    from zeus_hub import alerts  # noqa: PLC0415

    for one in ids:
        found = alerts.with_id(engine, one)
        if not found:
            raise OperatorError(f"there is no alert {one}", "`zeus alert list` shows the ids.")
        whole = {stored.alert.id.hex() for stored in found}
        if len(whole) > 1:
            raise OperatorError(
                f"several alerts begin with {one}: {', '.join(sorted(whole))}", "Give more digits."
            )
        yield from found
