"""`zeus serve`: the hub itself."""

import logging
from typing import TYPE_CHECKING

from socme.commands import ConfigOption
from zeus_hub.commands.options import CONFIG

if TYPE_CHECKING:
    from zeus_hub.hub import Running

LOG = logging.getLogger("zeus.serve")


def serve(*, config: ConfigOption = CONFIG) -> None:
    """Run the hub until it is stopped; the first start makes its certificate authority and database."""
    from socme import logs, service  # noqa: PLC0415

    logs.set_up()
    from zeus_hub import hub  # noqa: PLC0415 - gRPC's core reads what set_up tells it when it is imported
    from zeus_hub.commands import state  # noqa: PLC0415

    settings = state.read_settings(config)
    with state.usable(settings):
        state.refuse_for_another(settings)
    service.run(lambda notifier: hub.serve(settings, notifier, _announce))


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
