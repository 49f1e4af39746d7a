"""The commands of Zeus, one module of zeus_hub.commands a subject."""

from socme import commands
from zeus_hub.commands import (
    alert,
    audit,
    backup,
    check,
    client,
    display,
    ledger,
    migrate,
    node,
    report,
    route,
    serve,
    silence,
    sink,
    token,
    top,
    triage,
    watch,
)

PROGRAM = "zeus"

app = commands.application(PROGRAM, "Zeus, the hub: takes the alerts of all nodes, keeps them, shows them.")
app.command("serve")(serve.serve)
app.add_typer(client.app, name="client")
app.add_typer(token.app, name="token")
app.add_typer(node.app, name="node")
app.add_typer(display.app, name="display")
app.add_typer(alert.app, name="alert")
alert.app.command("ack")(triage.acknowledge)
alert.app.command("assign")(triage.assign)
alert.app.command("close")(triage.close)
alert.app.command("reopen")(triage.reopen)
alert.app.command("comment")(triage.comment)
app.add_typer(route.app, name="route")
app.add_typer(silence.app, name="silence")
app.add_typer(sink.app, name="sink")
app.add_typer(report.app, name="report")
app.command("audit")(audit.audit)
app.command("watch")(watch.watch)
app.command("top")(top.top)
app.add_typer(ledger.app, name="ledger")
app.command("check")(check.check)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("migrate")(migrate.migrate)
