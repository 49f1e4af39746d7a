"""What a matcher may ask about an alert."""

import pytest

from socme.v1.alert_pb2 import Action, AlertSource, ConditionState, Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.conftest import REPOSITORY
from tests.zeus_hub.routes.made import alert
from zeus_hub.routes import facts
from zeus_hub.routes.facts import FIELDS, NAMES, scalars, value, variables


def found(stored: StoredAlert, path: str) -> object:
    """Return a field as a matcher finds it."""
    tree: object = variables(stored, NAMES)
    for step in path.split("."):
        assert isinstance(tree, dict)
        tree = tree[step]
    return tree


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_that_an_alert_does_not_say_is_there_and_empty(path: str) -> None:
    empty = {"text": "", "number": 0, "texts": []}[FIELDS[path].kind]

    assert found(StoredAlert(), path) == (1 if path == "count" else empty)


def test_an_alert_says_what_it_says_under_the_names_of_ecs() -> None:
    stored = alert(client="acme", rule="5710", severity=Severity.SEVERITY_HIGH, techniques=["T1110"], count=7)
    made = stored.alert
    made.source = AlertSource.ALERT_SOURCE_WAZUH
    made.source_endpoint.port, made.rule.level = 4444, 10
    made.rule.groups.extend(["sshd", "authentication_failed"])
    made.action = Action.ACTION_BLOCKED
    made.user_agent = "curl/8.3.0"
    made.file.md5, made.file.sha256 = "0" * 32, "1" * 64
    made.condition.kind, made.condition.state = "gap", ConditionState.CONDITION_STATE_RAISED

    expected = {
        "client": "acme",
        "node": "acme-1",
        "severity": 3,
        "count": 7,
        "source.ip": "203.0.113.9",
        "source.port": 4444,
        "rule.id": "5710",
        "rule.level": 10,
        "rule.groups": ["sshd", "authentication_failed"],
        "threat.technique.id": ["T1110"],
        "event.module": "wazuh",
        "event.action": "blocked",
        "user_agent.original": "curl/8.3.0",
        "file.hash": ["0" * 32, "1" * 64],
        "condition.kind": "gap",
        "condition.state": "raised",
    }
    assert {path: found(stored, path) for path in expected} == expected


def test_every_field_is_documented_with_its_meaning() -> None:
    kinds = {"text": "text", "number": "number", "texts": "list of texts"}
    table = [f"| `{path}` | {kinds[one.kind]} | {one.meaning} |" for path, one in FIELDS.items()]

    assert "\n".join(table) in (REPOSITORY / "docs" / "routes.md").read_text()


def test_severities_have_names() -> None:
    assert facts.CONSTANTS == {"unknown": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}


def test_a_number_is_what_its_field_says_whatever_a_node_sends() -> None:
    stored = StoredAlert()
    stored.alert.severity = 77  # type: ignore[assignment]  # of a newer node
    stored.alert.source_endpoint.port = 2**32 - 1

    assert found(stored, "severity") == 0
    assert found(stored, "source.port") == 0


def test_what_an_attacker_makes_long_is_cut() -> None:
    stored = alert(text="x" * 100_000)
    stored.alert.rule.groups.extend(["g" * 100_000] * 1000)

    assert found(stored, "message") == "x" * facts.LONGEST_TEXT
    assert found(stored, "rule.groups") == ["g" * facts.LONGEST_TEXT] * facts.MOST_LISTED


def test_only_what_is_asked_for_is_put_together() -> None:
    assert variables(alert(), ["client", "high"]) == {"client": "acme", "high": 3}
    assert variables(alert(), ["nothing"]) == {}


def test_fields_that_alerts_are_grouped_by_are_no_lists() -> None:
    assert "rule.groups" not in set(scalars())
    assert {value(alert(), path) for path in scalars()} >= {"acme", "5710", "2"}


def test_a_file_that_changed_says_how() -> None:
    stored = alert()
    stored.alert.file.event = "modified"

    assert found(stored, "event.action") == "modified"
