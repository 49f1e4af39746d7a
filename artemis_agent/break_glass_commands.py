"""`artemis break-glass`: whether this node can tell people itself where it reaches no hub.

What takes long to import is imported by the command that needs it.
"""

import typer

from socme import commands
from socme.commands import ConfigOption

PROGRAM = "artemis"
CONFIG = commands.config_path(PROGRAM)
app = typer.Typer(no_args_is_help=True, help="Telling people of severe alerts without a hub.")


@app.callback()
def break_glass() -> None:
    """Telling people of severe alerts without a hub."""


@app.command("test")
def send_test(config: ConfigOption = CONFIG) -> None:
    """Send a test mail to those whom [break_glass] names, now."""
    from artemis_agent import config as configs  # noqa: PLC0415
    from artemis_agent import own_mail, smtp  # noqa: PLC0415
    from artemis_agent.break_glass import node_name  # noqa: PLC0415
    from artemis_agent.owed import words  # noqa: PLC0415
    from socme.errors import OperatorError  # noqa: PLC0415
    from socme.identity import utc_now  # noqa: PLC0415

    plan = configs.plan(config)
    if plan.break_glass is None:
        raise OperatorError(f"{config} has no [break_glass]", "docs/configuration.md says what it takes.")
    glass = plan.break_glass
    mail = own_mail.trial(
        node=node_name(plan.state_dir), sender=glass.sender, recipients=glass.recipients, now=utc_now()
    )
    try:
        refused = smtp.send(glass.server, mail, glass.recipients)
    except smtp.MailError as error:
        raise OperatorError(f"no mail left: {error}", "Correct [break_glass] in the settings.") from error
    if refused:
        raise OperatorError(
            f"not everybody gets it: {words(refused)}", "Correct break_glass.to in the settings."
        )
    typer.echo(f"a test mail left for {', '.join(glass.recipients)}; see that it arrives")
