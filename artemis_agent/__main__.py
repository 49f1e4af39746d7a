"""Where Artemis begins: a command, or the daemon, which has nothing in memory that is for commands alone."""

import os
from typing import TYPE_CHECKING, TypeAlias

from socme import launch

if TYPE_CHECKING:
    from artemis_agent.plan import Plan

    Order: TypeAlias = tuple[Plan, bool]
    """What to do, and whether to log more."""

PROGRAM = "artemis"


def main() -> None:
    """Run the command on the command line and exit."""
    launch.launch(PROGRAM, "run", _command, _serve)


def _command() -> "tuple[launch.Code, Order | None]":
    from artemis_agent.command_line import app  # noqa: PLC0415
    from socme import commands  # noqa: PLC0415

    return commands.run(app, PROGRAM)


def _serve(order: "Order") -> None:
    """Follow the log files until stopped."""
    from socme import openssl  # noqa: PLC0415

    openssl.leave_out()
    from socme import logs, service  # noqa: PLC0415

    plan, debug = order
    logs.set_up(debug=debug)  # before gRPC is imported, whose own logging it switches off
    os.umask(0o077)

    from artemis_agent import agent  # noqa: PLC0415

    service.run(lambda notifier: agent.run(plan, notifier))


if __name__ == "__main__":
    main()
