"""What a node says of alerts that it told people of itself."""

import pytest

from socme.v1.uplink_pb2 import Told
from tests.zeus_hub.stored import NOON
from zeus_hub import node_told

ONE, TWO = b"1" * 16, b"2" * 16


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told(), "0 alerts"),
        (Told(alerts=[ONE] * 2001), "2001 alerts"),
        (Told(alerts=[ONE, b"short"]), "16 bytes"),
        (Told(alerts=[ONE] * 2000), ""),
    ],
)
def test_what_breaks_the_contract_is_not_taken(told: Told, words: str) -> None:
    found = node_told.objection(told)

    assert words in found
    assert bool(found) == bool(words)


def test_the_report_is_known_again_when_it_is_said_again() -> None:
    made = node_told.report("acme", "acme-1", [ONE, TWO], NOON)

    assert made.message == "acme/acme-1: mailed 2 alerts to the client itself while it reached no hub"
    assert list(made.told) == [ONE, TWO]
    assert made.rule.id == "socme.told_by_node"
    assert made.id == node_told.report("acme", "acme-1", [ONE, TWO], NOON.replace(hour=13)).id
    others = [("acme", "acme-1", [ONE]), ("acme", "acme-2", [ONE, TWO]), ("beta", "acme-1", [ONE, TWO])]
    assert made.id not in {node_told.report(*each, NOON).id for each in others}
