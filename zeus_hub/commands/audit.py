"""`zeus audit`: who did what, and when."""

from socme.commands import ConfigOption, JsonOption
from zeus_hub.commands.options import CONFIG, LimitOption, hint, print_json

LATEST = 50  # things that a person is shown unless told otherwise
_COLUMNS = ["TIME (UTC)", "WHO", "DID", "TO", "CHANGED", "DETAILS"]


def audit(*, config: ConfigOption = CONFIG, json: JsonOption = False, limit: LimitOption = None) -> None:
    """List what people did at the hub, the newest first."""
    from socme.view import stamp  # noqa: PLC0415
    from zeus_hub import audit  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    with state.opened(state.read_plan(config)) as engine:
        found = audit.entries(engine, limit=limit if json else limit or LATEST)
    if json:
        for one in found:
            view = {"number": one.number, "time": stamp(one.time), "actor": one.actor, "action": one.action}
            print_json({**view, "subject": one.subject, "details": one.details})
        return
    from socme.table import show_table  # noqa: PLC0415
    from socme.view import json_line  # noqa: PLC0415

    rows = []
    for one in found:
        details = dict(one.details)
        changed = details.pop("changed", "")
        time = f"{one.time:%Y-%m-%d %H:%M:%S}"
        rows.append([time, one.actor, one.action, one.subject, changed, json_line(details)])
    show_table(_COLUMNS, rows)
    if len(rows) == (limit or LATEST):
        hint(f"The newest {len(rows)}; --limit N shows more.")
