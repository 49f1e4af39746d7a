"""What people have agreed on."""

from tests.zeus_hub.routes.made import HERE, inhibition, route
from zeus_hub.routes.rules import Receiver, Rules


def test_it_is_known_what_all_matchers_ask() -> None:
    rules = Rules((route(), route('client == "a"')), (inhibition("severity >= high", 'node == ""'),))

    assert rules.names() == {"client", "severity", "high", "node"}


def test_an_inhibition_is_known_by_what_it_says() -> None:
    one = inhibition("severity >= high", "severity < high")

    assert one.key == inhibition("severity >= high", "severity < high").key
    assert one.key != inhibition("severity >= high", "severity < high", "node").key
    assert one.key != inhibition("severity < high", "severity >= high").key


def test_the_options_of_a_receiver_are_not_shown() -> None:
    assert "hunter2" not in repr(Receiver("mail", "smtp", {"password": "hunter2"}, HERE))
