"""The commands of Artemis. What takes long to import is imported by the command that needs it."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from artemis_agent import break_glass_commands, spool_commands
from socme import commands
from socme.commands import ConfigOption, JsonOption
from socme.launch import FAILED

if TYPE_CHECKING:
    from artemis_agent.config import ArtemisSettings
    from artemis_agent.preview import Judged

PROGRAM = "artemis"
CONFIG = commands.config_path(PROGRAM)
SHIPPED_FILTER = ("low", False)  # min_severity and keep_both of FilterSettings, which takes long to import
app = commands.application(PROGRAM, "Sends the alerts of Wazuh and Suricata on this network to the hub.")
app.add_typer(spool_commands.app, name="spool")
app.add_typer(break_glass_commands.app, name="break-glass")


class KindName(StrEnum):
    """What may have written a file."""

    suricata = "suricata"
    wazuh = "wazuh"


@app.command()
def enroll(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The line that `zeus token create` printed.")],
    config: ConfigOption = CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace an identity that is still good.")] = False,
) -> None:
    """Trade a one-time token for this node's certificate.

    Needs no complete settings: the identity goes to state_dir of the settings file if there is one, else
    to /var/lib/artemis (ARTEMIS_STATE_DIR overrides both).
    """
    from socme import enrol  # noqa: PLC0415
    from socme.identity import utc_now  # noqa: PLC0415
    from socme.spiffe import Role  # noqa: PLC0415

    state_dir = commands.state_dir(config, program=PROGRAM)
    own = enrol.enrol(token, role=Role.NODE, state_dir=state_dir, program=PROGRAM, force=force, now=utc_now())
    typer.echo(f"enrolled as {own.client}/{own.name} at {own.hub_address}, until {own.expires:%Y-%m-%d}")
    typer.echo(f"identity: {state_dir / 'identity'}")


@app.command()
def run(
    context: typer.Context,
    config: ConfigOption = CONFIG,
    debug: Annotated[bool, typer.Option("--debug", help="Log more.")] = False,
) -> None:
    """Follow the log files and send their alerts to the hub, until stopped."""
    from artemis_agent import config as configs  # noqa: PLC0415

    commands.hand_on(context, (configs.plan(config), debug))


@app.command()
def sift(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="eve.json or alerts.json files.", readable=False)
    ],
    count: Annotated[bool, typer.Option("--count", help="Print how many, by severity.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print for each record what and why.")] = False,
    kind: Annotated[
        KindName | None, typer.Option("--kind", help="What wrote the files; else by content.")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Print the records that would leave the site.

    Each as its line stands in the file, on standard output; those that stay are counted by --count and
    named by --explain. [filter] of the settings file applies, if there is one.
    """
    if count and explain:
        raise typer.BadParameter("--count and --explain exclude each other")

    from artemis_agent import preview  # noqa: PLC0415
    from socme import severity  # noqa: PLC0415

    min_severity, keep_both = _filter(config)
    logs = [preview.Log(path, kind.value if kind else preview.kind_of(path)) for path in files]
    judged = preview.judge(logs, min_severity=severity.named(min_severity), keep_both=keep_both)
    if count:
        _print_counts(judged)
    elif explain:
        _print_reasons(judged)
    else:
        _print_lines(judged)


@app.command()
def check(config: ConfigOption = CONFIG) -> None:
    """Check settings, files, permissions and the way to the hub; say for each what to do."""
    from artemis_agent.check import check as lines  # noqa: PLC0415

    failed = False
    for line in lines(config):
        typer.echo(str(line))
        failed = failed or not line.ok
    if failed:
        raise typer.Exit(FAILED)


@app.command()
def status(config: ConfigOption = CONFIG, as_json: JsonOption = False) -> None:
    """Show connection, last acknowledgement, spool and read positions, whether the agent runs or not."""
    from artemis_agent import status as statuses  # noqa: PLC0415
    from socme import show  # noqa: PLC0415

    state_dir = commands.state_dir(config, program=PROGRAM)
    found, name = statuses.read(state_dir), _name(state_dir)
    if as_json:
        typer.echo(json.dumps(statuses.as_json(found, name=name), indent=2))
    else:
        _print_rows(show.lines(list(statuses.rows(found, name=name))))


@app.command()
def vitals(config: ConfigOption = CONFIG, as_json: JsonOption = False) -> None:
    """Show how this machine is and what runs on it, with the sources and the spool as the agent sees them.

    Needs no settings, no daemon and no rights; what another user may not know is told as unknown.
    """
    from artemis_agent.console import gather  # noqa: PLC0415

    found = gather(config)
    if as_json:
        from socme import view  # noqa: PLC0415

        typer.echo(json.dumps(view.vitals_view(found), indent=2))
        return

    import os  # noqa: PLC0415
    import shutil  # noqa: PLC0415

    from artemis_agent import portrait  # noqa: PLC0415
    from socme import machine  # noqa: PLC0415

    terminal = sys.stdout.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size().columns if terminal else 0
    title = f"artemis at {found.hostname or 'this machine'}"
    rows = list(machine.vitals_rows(found))
    _print_rows(portrait.draw(title, rows, columns=columns, colour=colour))


def _settings(config: Path) -> "ArtemisSettings":
    from artemis_agent.config import ArtemisSettings  # noqa: PLC0415
    from socme.settings import load  # noqa: PLC0415

    return load(ArtemisSettings, config)


def _filter(config: Path) -> tuple[str, bool]:
    """Return the filter of the settings; the default one where nobody wrote settings on this machine."""
    if config == CONFIG and not config.exists():
        return SHIPPED_FILTER
    rules = _settings(config).filter
    return rules.min_severity, rules.keep_both


def _name(state_dir: Path) -> str:
    """Return this node's name as it was enrolled; empty where it was not."""
    from socme import identity  # noqa: PLC0415
    from socme.errors import OperatorError  # noqa: PLC0415

    try:
        own = identity.load(state_dir, now=identity.utc_now(), command="artemis enroll TOKEN")
    except OperatorError:
        return ""
    return f"{own.client}/{own.name}"


def _print_rows(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line.rstrip())


def _print_lines(judged: Iterator["Judged"]) -> None:
    """Print lines byte for byte; on a terminal with what could harm it replaced."""
    from socme.text import clean  # noqa: PLC0415

    terminal = sys.stdout.isatty()
    for each in judged:
        if each.alert is not None and not each.stays:
            line = (
                clean(each.raw.decode("utf-8", "replace"), len(each.raw)).encode() if terminal else each.raw
            )
            sys.stdout.buffer.write(line + b"\n")


def _print_counts(judged: Iterator["Judged"]) -> None:
    from socme import severity  # noqa: PLC0415

    leave, stay = Counter[int](), Counter[str]()
    for each in judged:
        if each.alert is not None and not each.stays:
            leave[each.alert.severity] += 1
        else:
            stay[each.stays.partition(":")[0]] += 1
    for level in sorted(leave, reverse=True):
        typer.echo(f"{leave[level]:10,}  {severity.name(level)}")
    typer.echo(f"{leave.total():10,}  would leave the site")
    for reason, number in sorted(stay.items()):
        typer.echo(f"{number:10,}  stay: {reason}")


def _print_reasons(judged: Iterator["Judged"]) -> None:
    from socme import severity  # noqa: PLC0415
    from socme.text import clean  # noqa: PLC0415

    for each in judged:
        place = clean(f"{each.log.path}:{each.offset}", 4200)
        about = clean(each.stays, 300)
        if each.alert is not None:
            rule = clean(f"{each.alert.rule.id} {each.alert.rule.name}", 300)
            about = f"{severity.name(each.alert.severity)} rule {rule}" + (f" ({about})" if about else "")
        typer.echo(f"{'stays' if each.stays else 'leaves'}  {place}  {about}")
