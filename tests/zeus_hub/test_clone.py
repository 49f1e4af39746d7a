"""Two machines with one identity are told from one that restarts or whose network is bad."""

import pytest

from zeus_hub.clone import MOST_INSTANCES, WITHIN_SECONDS, Clones, host

NODE = ("acme", "acme-1")
A, B, C = (bytes([number]) * 16 for number in range(3))
HERE, THERE = "ipv4:192.0.2.1:40000", "ipv6:%5B2001:db8::2%5D:50000"


def test_an_instance_that_comes_back_after_another_is_one_of_two() -> None:
    clones = Clones()
    clones.seen(NODE, A, HERE, 0.0)
    clones.seen(NODE, B, THERE, 1.0)
    assert clones.suspected(1.0) == {}
    clones.seen(NODE, A, HERE, 2.0)
    (sentence,) = clones.suspected(2.0).values()

    assert "192.0.2.1" in sentence
    assert "[2001:db8::2]" in sentence
    assert set(clones.suspected(2.0)) == {NODE}


def test_a_node_that_restarts_again_and_again_is_one() -> None:
    clones = Clones()
    for number in range(100):
        clones.seen(NODE, bytes([number]) * 16, HERE, float(number))

    assert clones.suspected(100.0) == {}


def test_a_node_whose_network_comes_and_goes_is_one() -> None:
    clones = Clones()
    for number in range(100):
        clones.seen(NODE, A, f"ipv4:192.0.2.{number}:1", float(number))

    assert clones.suspected(100.0) == {}


def test_both_at_one_address_are_told_so() -> None:
    clones = Clones()
    for number, instance in enumerate((A, B, A)):
        clones.seen(NODE, instance, HERE, float(number))

    assert "both from 192.0.2.1" in clones.suspected(3.0)[NODE]


def test_it_is_forgotten_ten_minutes_after_the_last_turn() -> None:
    clones = Clones()
    for number, instance in enumerate((A, B, A)):
        clones.seen(NODE, instance, HERE, float(number))

    assert clones.suspected(2.0 + WITHIN_SECONDS)
    assert not clones.suspected(2.0 + WITHIN_SECONDS + 0.1)


def test_who_was_away_for_longer_is_not_suspected() -> None:
    """A virtual machine that was rolled back the day after: its successor is gone."""
    clones = Clones()
    clones.seen(NODE, A, HERE, 0.0)
    clones.seen(NODE, B, HERE, 1.0)
    clones.seen(NODE, A, HERE, 2.0 + WITHIN_SECONDS)

    assert not clones.suspected(2.0 + WITHIN_SECONDS)


def test_three_are_found_as_well() -> None:
    clones = Clones()
    for number, instance in enumerate((A, B, C, A)):
        clones.seen(NODE, instance, HERE, float(number))

    assert set(clones.suspected(3.0)) == {NODE}


def test_nodes_have_nothing_to_do_with_each_other() -> None:
    clones = Clones()
    clones.seen(NODE, A, HERE, 0.0)
    clones.seen(("acme", "acme-2"), B, HERE, 1.0)
    clones.seen(NODE, A, HERE, 2.0)
    clones.seen(("acme", "acme-2"), A, HERE, 3.0)

    assert clones.suspected(3.0) == {}


def test_who_gives_no_name_is_not_judged() -> None:
    clones = Clones()
    for number, instance in enumerate((A, b"", A, b"", A)):
        clones.seen(NODE, instance, HERE, float(number))

    assert clones.suspected(5.0) == {}


def test_a_node_that_makes_up_names_costs_a_bounded_amount() -> None:
    clones = Clones()
    for number in range(10_000):
        clones.seen(NODE, number.to_bytes(16, "big"), HERE, 0.0)
    node = clones._nodes[NODE]

    assert max(len(node.peers), len(node.ousted)) <= MOST_INSTANCES


@pytest.mark.parametrize(
    ("peer", "address"),
    [(HERE, "192.0.2.1"), (THERE, "[2001:db8::2]"), ("unix:/run/x", "unix:/run/x"), ("", "")],
)
def test_an_address_is_told_without_its_port(peer: str, address: str) -> None:
    assert host(peer) == address
