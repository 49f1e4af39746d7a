"""`zeus serve`: the hub itself, which begins in zeus_hub.__main__ once this has ended."""

import typer

from socme import commands
from socme.commands import ConfigOption
from zeus_hub.commands.options import CONFIG


def serve(context: typer.Context, *, config: ConfigOption = CONFIG) -> None:
    """Run the hub until it is stopped; the first start makes its certificate authority and database."""
    from zeus_hub.commands import state  # noqa: PLC0415

    plan = state.read_plan(config)
    with state.usable(plan):
        state.refuse_for_another(plan)
    commands.hand_on(context, plan)
