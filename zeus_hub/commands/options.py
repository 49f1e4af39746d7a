"""What the commands share: options, how their values are read, and how answers are printed.

A value that cannot be read is wrong usage (exit code 2).
"""

import ipaddress
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from socme.commands import config_path
from socme.identity import utc_now

CONFIG = config_path("zeus")  # default of --config
LONGEST_TEXT = 1000  # characters; SQLite refuses patterns of 50,000
LONGEST_TIME = timedelta(days=3650)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AMOUNT = re.compile(r"([0-9]{1,8})([smhdw])")  # so many weeks fit a timedelta


def duration(text: str) -> timedelta:
    """Read "90s", "30m", "24h", "3d" or "2w"."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 30m, 24h, 3d or 2w")
    length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not timedelta() < length <= LONGEST_TIME:
        raise typer.BadParameter(f"{text!r} is not between 1s and {LONGEST_TIME.days}d")
    return length


def moment(text: str) -> datetime:
    """Read a duration as that long ago, or a date or time in ISO 8601, in UTC unless it says otherwise."""
    if _AMOUNT.fullmatch(text.strip()):
        return utc_now() - duration(text)
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is no time; write 2h, 3d, 2026-07-01 or 2026-07-01T12:00Z"
        ) from error


def ahead(text: str) -> datetime:
    """Read a duration as in that long, or a date or time as moment() does."""
    if _AMOUNT.fullmatch(text.strip()):
        return utc_now() + duration(text)
    return moment(text)


def address(text: str) -> str:
    """Read an IP address and return its short form, as alerts have it."""
    try:
        return ipaddress.ip_address(text.strip()).compressed
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no IP address") from error


def severity(text: str) -> int:
    """Read the name of a severity."""
    from socme.severity import NAMES, named  # noqa: PLC0415 - --help must be quick

    name = text.strip().lower()
    if name not in NAMES:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(NAMES)}")
    return named(name)


def source(text: str) -> int:
    """Read the name of a sensor."""
    from socme.view import SOURCES  # noqa: PLC0415 - --help must be quick

    numbers = {name: number for number, name in SOURCES.items()}
    if text.strip().lower() not in numbers:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(numbers)}")
    return numbers[text.strip().lower()]


def plain(text: str) -> str:
    """Read any text that a database can compare."""
    if len(text) > LONGEST_TEXT:
        raise typer.BadParameter(f"longer than {LONGEST_TEXT} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter("not valid UTF-8") from error
    return text


def technique(text: str) -> str:
    """Read an ATT&CK id."""
    return plain(text).strip().upper()


def print_json(view: Mapping[str, object]) -> None:
    """Print one object on one line, at once, and in UTF-8 whatever the terminal's encoding is."""
    from socme.view import json_line  # noqa: PLC0415 - --help must be quick

    typer.echo(json_line(view).encode())


def facts(view: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values of a nested view by their dotted names; lists of objects are numbered from 1."""
    for key, value in view.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from facts(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
            for number, part in enumerate(value, 1):
                yield from facts(part, f"{name}.{number}.")
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value))
        else:
            yield name, value


def hint(text: str) -> None:
    """Tell a person what else there is to know; scripts that read standard output do not see it."""
    typer.echo(text, err=True)


def suggest(text: str, command: str, config: Path) -> None:
    """Tell a person what to run next, with the settings file of this run."""
    named = "" if config == CONFIG else f" --config {shlex.quote(str(config))}"
    hint(f"{text}: {command}{named}")


_NAMES = "low|medium|high|critical"

LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="How many at the most. [default: 50; as JSON, all]"),
]
AllLimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="How many at the most. [default: all]")
]
ClientOption = Annotated[
    str | None, typer.Option("--client", metavar="NAME", parser=plain, help="Only this client.")
]
NodeOption = Annotated[
    str | None, typer.Option("--node", metavar="NAME", parser=plain, help="Only this node.")
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since", metavar="TIME", parser=moment, help="Not before: 2h, 3d, or 2026-07-01T12:00 (UTC)."
    ),
]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", metavar="TIME", parser=moment, help="Before this time.")
]
SeverityOption = Annotated[
    int | None, typer.Option("--severity", metavar=_NAMES, parser=severity, help="Exactly this severity.")
]
MinSeverityOption = Annotated[
    int | None,
    typer.Option(
        "--min-severity", metavar=_NAMES, parser=severity, help="This severity or worse, or unknown."
    ),
]
SourceOption = Annotated[
    int | None,
    typer.Option(
        "--source", metavar="suricata|wazuh|socme", parser=source, help="Only alerts of this sensor."
    ),
]
RuleOption = Annotated[str | None, typer.Option("--rule", metavar="ID", parser=plain, help="Only this rule.")]
IpOption = Annotated[
    str | None,
    typer.Option("--ip", metavar="ADDRESS", parser=address, help="Only from or to this address."),
]
TechniqueOption = Annotated[
    str | None,
    typer.Option(
        "--technique",
        metavar="ID",
        parser=technique,
        help="Only this ATT&CK technique: T1110 (with its sub-techniques) or T1110.001.",
    ),
]
TextOption = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="TEXT",
        parser=plain,
        help="Only with these words (or beginnings of words: fail*) in the rule's name, the message, the host"
        " or the user.",
    ),
]
