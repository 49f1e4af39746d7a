"""The command of the whole: socme demo."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from socme import commands

PROGRAM = "socme"

app = commands.application(PROGRAM, "SOCme: see Artemis, Zeus and Hermes work together on this machine.")


@app.command()
def demo(
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep everything in this new folder, to look at afterwards."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="N", min=0, help="End by itself, N seconds after all of it runs."),
    ] = None,
) -> None:
    """Run a hub, two clients' nodes fed with recorded logs, and the wall, until Ctrl-C."""
    from socme import service  # noqa: PLC0415 - --help must be quick
    from socme.demo import demo as play  # noqa: PLC0415

    with play.stage(keep) as folder:
        service.run(lambda _: play.run(folder, typer.echo, seconds=seconds, kept=keep is not None))
    typer.echo("the demo has ended; nothing runs any more")


def main() -> None:
    """Run the command on the command line and exit."""
    code, _ = commands.run(app, PROGRAM)
    sys.exit(code)


if __name__ == "__main__":
    main()
