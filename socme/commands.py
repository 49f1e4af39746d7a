"""What the commands of all programs have in common: --config, --version, and how a run ends.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. A failure that a person can mend is an
OperatorError and is printed as "program: message" with the mend below, never as a traceback.
"""

import os
import pwd
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from socme import VERSION
from socme.errors import OperatorError
from socme.launch import FAILED, Code, outcome

ConfigOption = Annotated[
    Path,
    # Whoever reads the file says better than Typer why it cannot be read.
    typer.Option("--config", metavar="PATH", help="The settings file.", readable=False),
]
"""Type of every command's `config` parameter; its default is `config_path(program)`."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
"""Type of the `json` parameter of commands that a person might script."""


def config_path(program: str) -> Path:
    """Return where a program's settings file is unless --config says otherwise."""
    return Path(f"/etc/socme/{program}.toml")


def state_dir(config: Path, *, program: str) -> Path:
    """Return where a program's state is, from settings that need not be complete yet, or be there at all.

    A person may enrol before or after writing the settings: only `state_dir` is read of them, and where
    the default settings file is missing /var/lib/<program> is taken. The environment overrides both.
    """
    settings = _settings(config, program)
    folder = os.environ.get(f"{program.upper()}_STATE_DIR") or settings.get(
        "state_dir", f"/var/lib/{program}"
    )
    if not isinstance(folder, str):
        raise OperatorError(f"{config}: state_dir is {folder!r}", "Write a path in quotes.")
    return (config.parent / folder).absolute()


def refuse_for_another(folder: Path, *, program: str) -> None:
    """Raise OperatorError where root would leave files in a state folder that its own user cannot read."""
    if os.geteuid() != 0 or not folder.exists():
        return
    owner = folder.stat().st_uid
    if owner != 0:
        name = _user(owner)
        raise OperatorError(
            f"the state folder {folder} belongs to {name}, who could not read what root leaves there",
            f"Run this as that user: sudo -u {name} {program} …",
        )


def application(program: str, summary: str) -> typer.Typer:
    """Return a program's set of commands, still empty but for --version and --help.

    Plain text, because rich boxes are slow to import and break in logs; no shell completion, because its
    two options would be half of the help.
    """
    app = typer.Typer(
        name=program,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    def show_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
        if wanted:
            typer.echo(f"{program} {VERSION}")
            raise typer.Exit

    @app.callback(help=summary)
    def options(
        *,
        _version: Annotated[
            bool,
            typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
        ] = False,
    ) -> None:
        pass

    return app


def run(app: typer.Typer, program: str) -> tuple[Code, Any]:
    """Run the command on the command line; return the exit code, and what it left to be done, if anything."""
    orders: list[object] = []
    # Not app(): that would replace sys.excepthook.
    command = typer.main.get_command(app)
    code = outcome(program, lambda: command(prog_name=program, obj=orders))
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        code = FAILED
        _drop_output()
    return code, orders[0] if orders else None


def hand_on(context: typer.Context, order: object) -> None:
    """Hand on something to be done once the command has ended: a daemon's work (socme.launch)."""
    context.obj.append(order)


def person() -> str:
    """Return who runs this: the name that was logged in with, which sudo does not change."""
    try:
        return os.getlogin()
    except OSError:  # no terminal
        return _user(os.getuid())


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


def _settings(config: Path, program: str) -> dict[str, object]:
    import tomllib  # noqa: PLC0415 - not every command asks

    try:
        return tomllib.loads(config.read_text())
    except FileNotFoundError:
        if config != config_path(program):
            raise OperatorError(
                f"there is no settings file {config}", "Write it, or name another with --config PATH."
            ) from None
        return {}
    except OSError as error:
        raise OperatorError(
            f"cannot read the settings file {config}: {(error.strerror or '').lower()}",
            "Run this as a user that may read it, or name another with --config PATH.",
        ) from error
    except ValueError as error:
        raise OperatorError(f"{config} is not TOML: {error}", "Mend the line that is named.") from error


def _drop_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's last flush cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
