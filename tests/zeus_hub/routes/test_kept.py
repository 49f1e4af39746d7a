"""What is kept of groups, and read again."""

import msgspec
import pytest

from tests.zeus_hub.routes.made import NOON, alert, route
from zeus_hub.routes import kept
from zeus_hub.routes.group import Arrival, Ticket, add, begin
from zeus_hub.routes.inhibition import Source
from zeus_hub.routes.kept import Routed, Row
from zeus_hub.routes.steady import Steady
from zeus_hub.routes.summary import fold


def row() -> Row:
    rule = route()
    group = begin(rule, "key", (("client", "acme"), ("rule.id", "é\u202e")), first=[b"1"], now=1.5)
    group, _ = add(group, [Arrival(2, 1), Arrival(3, 7, ("silence:1",))], rule, 2.25)
    techniques = alert(techniques=["T1110"])
    techniques.alert.threat.tactic_names.append("Credential Access")
    return Row(group, fold(None, [techniques, alert(2)]))


def test_what_is_kept_is_read_again() -> None:
    assert kept.decode_row(kept.encode(row())) == row()
    routed = Routed((Ticket("a" * 32, 7, 1),), ("source+",), told=True, came=2.25)
    assert kept.decode_routed(kept.encode(routed)) == routed
    source = Source("name", 1.5, 3, 2, 0.5)
    assert kept.decode_source(kept.encode(source)) == source
    steady = Steady().at(NOON)
    assert kept.decode_steady(kept.encode(steady)) == steady


def test_what_a_later_version_wrote_is_refused() -> None:
    later = msgspec.json.encode([kept.VERSION + 1, {"all": "different"}])

    with pytest.raises(ValueError, match="later version of Zeus"):
        kept.decode_row(later)


def test_fields_that_a_later_release_adds_are_no_trouble() -> None:
    version, content = msgspec.json.decode(kept.encode(row()))
    content["group"]["extra"] = 1

    assert kept.decode_row(msgspec.json.encode([version, content])) == row()


@pytest.mark.parametrize("damaged", [b"", b"{}", b"[1]", b"[1,{}]", b'["1",{}]'])
def test_what_is_damaged_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        kept.decode_row(damaged)


def test_a_row_is_small() -> None:
    assert len(kept.encode(row())) < 3000
