"""The columns of CSV and Parquet: other programs rely on them."""

from datetime import UTC, datetime

from socme.v1.alert_pb2 import Action, Alert, AlertSource, Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.stored import NOON, alert
from zeus_hub.export.columns import COLUMNS, Value, row

NAMES = (
    "id client node time received sensor severity count action rule_id rule_name rule_level rule_category"
    " rule_groups technique_ids tactic_names message source_ip source_port destination_ip destination_port"
    " transport protocol community_id host_name host_ip user process file_path file_sha256 url domain first"
    " last status verdict owner raw raw_cut user_agent"
)


def named(stored: StoredAlert) -> dict[str, Value]:
    """Return an alert's values by the names of their columns."""
    return dict(zip([column.name for column in COLUMNS], row(stored), strict=True))


def test_names_and_order_stay() -> None:
    assert " ".join(column.name for column in COLUMNS) == NAMES


def test_an_alert_as_a_row() -> None:
    made = alert(7, techniques=["T1110", "T1059"], severity=Severity.SEVERITY_HIGH, raw=b"\xff{}")
    made.alert.action, made.alert.source_endpoint.port = Action.ACTION_BLOCKED, 22
    made.triage.owner = "ann"
    values = named(made)

    assert values["id"] == "00000000000000000000000000000007"
    assert values["sensor"] == "suricata"
    assert (values["severity"], values["count"], values["action"]) == ("high", 1, "blocked")
    assert values["time"] == NOON.replace(minute=7)
    assert values["technique_ids"] == ["T1110", "T1059"]
    assert (values["source_port"], values["destination_port"]) == (22, None)
    assert (values["status"], values["verdict"], values["owner"]) == ("new", None, "ann")
    assert values["raw"] == b"\xff{}"


def test_what_an_alert_does_not_say_is_nothing() -> None:
    values = named(StoredAlert(client="acme", node="n", alert=Alert(source=AlertSource.ALERT_SOURCE_WAZUH)))

    assert {name for name, value in values.items() if value not in (None, "", [], b"", False)} == {
        *("client", "node", "sensor", "severity", "count", "status"),
    }


def test_a_time_that_no_calendar_knows_is_nothing_and_the_next_one_counts() -> None:
    made = alert(1)
    made.alert.time.seconds = 1 << 60
    made.received.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))

    assert named(made)["time"] == datetime(2026, 1, 1, tzinfo=UTC)
