"""Which routes an alert takes, and with which others it is told."""

from hypothesis import given
from hypothesis import strategies as st

from socme.text import UNSAFE
from tests.zeus_hub.routes.made import alert, route
from zeus_hub.routes.decide import LONGEST_LABEL, grouped, others, taken
from zeus_hub.routes.matcher import subject
from zeus_hub.routes.rules import Route


def names(*routes: Route, client: str = "acme") -> list[str]:
    """Return which routes an alert takes."""
    stored = alert(client=client)
    return [each.name for each in taken(routes, stored, subject(stored))]


def test_the_first_route_that_is_for_an_alert_takes_it() -> None:
    assert names(route('rule.id == "1"', name="a"), route(name="b"), route(name="c")) == ["b"]


def test_a_route_may_go_on() -> None:
    assert names(
        route(name="a", goes_on=True), route('rule.id == "1"', name="b", goes_on=True), route(name="c")
    ) == [
        "a",
        "c",
    ]


def test_a_route_may_be_for_some_clients() -> None:
    only = route(name="a", clients=frozenset({"beta"}))

    assert names(only, route(name="b")) == ["b"]
    assert names(only, route(name="b"), client="beta") == ["a"]
    assert names(only) == []


def test_alerts_that_have_the_labels_in_common_share_a_group() -> None:
    by_source = route(group_by=("client", "source.ip", "severity"))
    one = grouped(by_source, alert(1))

    assert one.labels == (("client", "acme"), ("source.ip", "203.0.113.9"), ("severity", "medium"))
    assert grouped(by_source, alert(2, rule="1")) == one
    assert grouped(by_source, alert(3, ips=("192.0.2.1", ""))).key != one.key


def test_routes_and_clients_never_share_a_group() -> None:
    one = grouped(route(), alert())

    assert grouped(route(), alert(client="beta")).key != one.key
    assert grouped(route(name="other"), alert()).key != one.key


@given(st.text(max_size=300), st.text(max_size=300))
def test_values_that_differ_are_told_apart_even_where_they_look_alike(one: str, other: str) -> None:
    by_name = route(group_by=("client", "rule.name"))
    found = [grouped(by_name, alert(name=text)) for text in (one, other)]

    assert (found[0].key == found[1].key) == (one == other)
    assert all(
        not UNSAFE.search(text) and len(text) <= LONGEST_LABEL for each in found for _, text in each.labels
    )


def test_values_do_not_run_into_each_other() -> None:
    two = route(group_by=("client", "rule.id", "rule.name"))

    assert (
        grouped(two, alert(rule='a", "b', name="c")).key != grouped(two, alert(rule="a", name='b", "c')).key
    )


def test_the_group_of_all_others_is_like_no_other() -> None:
    only_client = route(group_by=("client",))

    assert others(only_client, "acme").key != grouped(only_client, alert()).key
    assert others(only_client, "acme").labels[0] == ("client", "acme")
