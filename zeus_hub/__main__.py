"""Where Zeus begins: a command, or the hub, which has nothing in memory that is for commands alone."""

import logging
from typing import TYPE_CHECKING

from socme import launch

if TYPE_CHECKING:
    from zeus_hub.hub import Running
    from zeus_hub.plan import Plan

PROGRAM = "zeus"
LOG = logging.getLogger("zeus.serve")


def main() -> None:
    """Run the command on the command line and exit."""
    launch.launch(PROGRAM, "serve", _command, _serve)


def _command() -> "tuple[launch.Code, Plan | None]":
    from socme import commands  # noqa: PLC0415
    from zeus_hub.command_line import app  # noqa: PLC0415

    return commands.run(app, PROGRAM)


def _serve(plan: "Plan") -> None:
    """Run the hub until it is stopped."""
    from socme import logs, service  # noqa: PLC0415

    logs.set_up()  # before gRPC is imported, whose own logging it switches off
    from zeus_hub import hub  # noqa: PLC0415

    service.run(lambda notifier: hub.serve(plan, notifier, _announce))


def _announce(running: "Running") -> None:
    from socme import logs  # noqa: PLC0415

    logs.event(
        LOG,
        logging.INFO,
        "ready",
        listen=running.listening.hub,
        enroll_listen=running.listening.enrolment,
        ca_sha256=running.ca_sha256.hex(),
    )


if __name__ == "__main__":
    main()
