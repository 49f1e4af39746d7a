"""The filters of alerts, as options of commands."""

import inspect

import pytest
import typer
from typer.testing import CliRunner

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert
from zeus_hub.alerts import Filters
from zeus_hub.commands.filters import digits, filtered, named, statuses


def test_a_command_gets_its_filters_as_one_value() -> None:
    got: list[tuple[str, Filters]] = []

    @filtered
    def command(name: str, *, filters: Filters, twice: bool = False) -> None:
        """Do something."""
        got.extend([(name, filters)] * (2 if twice else 1))

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, ["x", "--client", "acme", "--status", "open", "--twice"])

    assert result.exit_code == 0, result.output
    assert got == [("x", Filters(client="acme", statuses=frozenset({NEW, ACKNOWLEDGED})))] * 2
    assert "filters" not in inspect.signature(command).parameters
    assert command.__doc__ == "Do something."


def test_every_filter_is_an_option() -> None:
    @filtered
    def command(*, filters: Filters) -> None:
        del filters

    assert len(inspect.signature(command).parameters) == len(Filters.__dataclass_fields__)


def test_statuses_have_names() -> None:
    assert statuses("Closed ") == {CLOSED}
    assert statuses("open") == {NEW, ACKNOWLEDGED}
    with pytest.raises(typer.BadParameter, match="none of new, acknowledged, closed, open"):
        statuses("done")


def test_ids_are_hexadecimal() -> None:
    assert digits(" ABCDEF ") == "abcdef"
    with pytest.raises(typer.BadParameter, match="6 to 32"):
        digits("abcde")


def test_an_id_names_the_alerts_of_all_nodes_that_sent_it(place: Place) -> None:
    engine = place.database([alert(1), alert(1, place="beta/beta-1"), alert(2)])
    found = list(named(engine, [f"{1:032x}", f"{2:032x}"]))
    engine.dispose()

    assert [(one.client, int.from_bytes(one.alert.id)) for one in found] == [
        ("acme", 1),
        ("beta", 1),
        ("acme", 2),
    ]
