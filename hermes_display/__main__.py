"""Where Hermes begins: a command, or the wall, which has nothing in memory that is for commands alone."""

from typing import TYPE_CHECKING

from socme import launch

if TYPE_CHECKING:
    from hermes_display.plan import Plan

PROGRAM = "hermes"


def main() -> None:
    """Run the command on the command line and exit."""
    launch.launch(PROGRAM, "run", _command, _serve)


def _command() -> "tuple[launch.Code, Plan | None]":
    from hermes_display.command_line import app  # noqa: PLC0415
    from socme import commands  # noqa: PLC0415

    return commands.run(app, PROGRAM)


def _serve(plan: "Plan") -> None:
    """Show the wall until stopped."""
    from socme import logs, service  # noqa: PLC0415

    logs.set_up()  # before gRPC is imported, whose own logging it switches off
    from hermes_display import display  # noqa: PLC0415

    connect = display.connecting(plan)
    service.run(lambda notifier: display.run_wall(plan, connect, notifier))


if __name__ == "__main__":
    main()
