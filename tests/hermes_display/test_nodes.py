import pytest

from hermes_display.nodes import LONGEST_TROUBLE, read_node
from socme.v1.vitals_pb2 import Health, NodeState, Vitals
from tests.hermes_display.watch_server import status

UP = Health.HEALTH_UP


@pytest.mark.parametrize(
    ("vitals", "grade", "trouble"),
    [
        ({}, "good", ""),
        ({"sources": [{"kind": "suricata", "problem": "no such file"}]}, "blind", "suricata: no such file"),
        ({"disks": [{"capacity": {"total_bytes": 100, "used_bytes": 94}}]}, "care", "disk 94 %"),
        ({"disks": [{"capacity": {"total_bytes": 0, "used_bytes": 94}}]}, "good", ""),
        ({"disks": [{"capacity": {"total_bytes": 1, "used_bytes": 2**63}}]}, "care", "disk 100 %"),
        ({"spool": {"alerts": 18234}}, "care", "spool 18234"),
        ({"spool": {"alerts": 3}}, "good", ""),
    ],
)
def test_a_node_tells_its_worst_trouble_where_the_hub_says_nothing(
    vitals: dict[str, object], grade: str, trouble: str
) -> None:
    node = read_node(status(vitals=Vitals(**vitals)))  # type: ignore[arg-type]
    assert (node.grade, node.trouble) == (grade, trouble)


@pytest.mark.parametrize(
    ("health", "grade"),
    [
        (Health.HEALTH_DEGRADED, "care"),
        (Health.HEALTH_LATE, "late"),
        (Health.HEALTH_BLIND, "blind"),
        (Health.HEALTH_SILENT, "silent"),
        (77, "good"),
    ],
)
def test_what_the_hub_says_of_a_node_counts(health: int, grade: str) -> None:
    told = status()
    told.health = health  # type: ignore[assignment]
    told.reasons[:] = ["\x1b[2J drops 4 % of its packets" + "x" * 500, "less bad"]
    node = read_node(told)
    assert node.grade == grade
    assert "\x1b" not in node.trouble
    assert len(node.trouble) <= LONGEST_TROUBLE
    assert ("drops 4 %" in node.trouble) == (grade in ("care", "late", "blind"))


@pytest.mark.parametrize("state", [NodeState.NODE_STATE_ONLINE, NodeState.NODE_STATE_OFFLINE])
def test_a_node_of_which_nothing_is_taken_is_no_trouble(state: NodeState.ValueType) -> None:
    """Its client was disabled; or it was revoked itself."""
    told = status(state=state)
    told.health = Health.HEALTH_REVOKED
    assert (read_node(told).grade, read_node(told).trouble) == ("off", "")
    assert read_node(status(state=NodeState.NODE_STATE_REVOKED)).grade == "off"


@pytest.mark.parametrize(
    ("state", "grade"),
    [
        (NodeState.NODE_STATE_NEW, "new"),
        (NodeState.NODE_STATE_STALE, "silent"),
        (NodeState.NODE_STATE_OFFLINE, "silent"),
        (99, "care"),
    ],
)
def test_a_node_that_is_not_there_is_not_good_whatever_it_said(state: int, grade: str) -> None:
    told = status(state=state)  # type: ignore[arg-type]
    told.health = UP
    assert (read_node(told).grade, read_node(told).is_online) == (grade, False)
