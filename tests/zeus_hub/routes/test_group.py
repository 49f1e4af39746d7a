"""What comes into a group, and what people do about it."""

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from tests.zeus_hub.routes.made import route
from zeus_hub.routes.group import MOST_VEILS, Arrival, Group, Ticket, Veil, add, begin, change, cover

LABELS = (("client", "acme"), ("rule.id", "5710"))
ROUTE = route()


def group(*arrivals: Arrival, now: float = 100.0) -> Group:
    """Return a group that these came into as it began."""
    return add(begin(ROUTE, "key", LABELS, first=[b"acme", b"n", b"1"], now=now), arrivals, ROUTE, now)[0]


def test_a_group_waits_for_companions() -> None:
    made = group(Arrival(2, 1), Arrival(3, 7))

    assert (made.client, made.labels, made.due) == ("acme", LABELS, 130.0)
    assert (made.taken, made.fresh, made.open, made.new) == (2, 8, 2, 2)


def test_an_urgent_alert_waits_for_nobody_until_somebody_was_told() -> None:
    assert group(Arrival(2, 1), Arrival(4, 1)).due == 100.0

    told = begin(ROUTE, "key", LABELS, first=[], now=0)
    told = Group(**{**{name: getattr(told, name) for name in told.__struct_fields__}, "notices": 1})
    assert add(told, [Arrival(4, 1)], ROUTE, 10)[0].due == told.due
    assert (
        add(begin(route(urgent=None), "k", LABELS, first=[], now=0), [Arrival(4, 1)], route(urgent=None), 1)[
            0
        ].due
        == 30
    )


def test_the_first_alert_makes_the_name_of_a_group() -> None:
    one = begin(ROUTE, "key", LABELS, first=[b"acme", b"n", b"1"], now=1)

    assert one.id == begin(ROUTE, "key", LABELS, first=[b"acme", b"n", b"1"], now=99).id
    assert len(one.id) == 32
    others = [
        begin(ROUTE, "key", LABELS, first=[b"acme", b"n", b"2"], now=1),
        begin(ROUTE, "other", LABELS, first=[b"acme", b"n", b"1"], now=1),
        begin(route(name="other"), "key", LABELS, first=[b"acme", b"n", b"1"], now=1),
    ]
    assert len({each.id for each in [one, *others]}) == 4


def test_alerts_get_tickets_that_find_them_again() -> None:
    made, tickets = add(group(Arrival(2, 1)), [Arrival(2, 1, ("s",)), Arrival(2, 1)], ROUTE, 110)

    assert tickets == [Ticket(made.id, 2, 1), Ticket(made.id, 3, 0)]
    assert made.veils == (Veil((), 2, 0, 2), Veil(("s",), 1, 0, 1))

    made = change(made, tickets[0], NEW, CLOSED)
    assert made.veils == (Veil((), 2, 0, 2), Veil(("s",), 0, 0, 0))


def test_what_people_do_moves_an_alert() -> None:
    made = group(Arrival(2, 1))
    ticket = Ticket(made.id, 1, 0)

    made = change(made, ticket, NEW, ACKNOWLEDGED)
    assert made.veils == (Veil((), 0, 1, 1),)
    made = change(made, ticket, ACKNOWLEDGED, CLOSED)
    assert made.veils == (Veil((), 0, 0, 0),)
    made = change(made, ticket, CLOSED, NEW)
    assert made.veils == (Veil((), 1, 0, 1),)


def test_an_alert_that_was_told_is_not_untold_when_it_is_opened_again() -> None:
    made = group(Arrival(2, 1))
    told = Group(
        **{
            **{name: getattr(made, name) for name in made.__struct_fields__},
            "told": 1,
            "veils": (Veil((), 1),),
        }
    )

    closed = change(told, Ticket(made.id, 1, 0), NEW, CLOSED)
    assert change(closed, Ticket(made.id, 1, 0), CLOSED, NEW).veils == (Veil((), 1, 0, 0),)


def test_any_acknowledgement_ends_an_escalation_and_so_does_the_last_one_closed() -> None:
    made = group(Arrival(2, 1), Arrival(2, 1))
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    chained = Group(**{**fields, "chain": 50.0, "level": 1})
    first, second = Ticket(made.id, 1, 0), Ticket(made.id, 2, 0)

    acknowledged = change(chained, first, NEW, ACKNOWLEDGED)
    assert (acknowledged.chain, acknowledged.level) == (None, 0)
    one_closed = change(chained, first, NEW, CLOSED)
    assert (one_closed.chain, one_closed.level) == (50.0, 1)
    assert change(one_closed, second, NEW, CLOSED).chain is None


def test_a_new_silence_covers_what_is_there_and_not_what_comes() -> None:
    made = cover(group(Arrival(2, 1), Arrival(2, 1, ("a",))), "s")
    made, tickets = add(made, [Arrival(2, 1)], ROUTE, 110)

    assert made.veils == (Veil(("s",), 1, 0, 1), Veil(("a", "s"), 1, 0, 1), Veil((), 1, 0, 1))
    assert tickets == [Ticket(made.id, 3, 2)]


def test_a_silence_that_the_group_knows_covers_nothing_more() -> None:
    """After a restart all silences are new to whoever covers groups with them."""
    made = group(Arrival(4, 1), Arrival(2, 1, ("s",)))

    assert cover(made, "s") == made
    covered = cover(group(Arrival(2, 1)), "s")
    later = add(covered, [Arrival(4, 1)], ROUTE, 110)[0]
    assert cover(later, "s") == later


def test_veils_are_bounded_and_what_finds_none_is_told() -> None:
    made = group(*(Arrival(2, 1, (str(number),)) for number in range(1000)))

    assert len(made.veils) == MOST_VEILS + 1
    assert made.veils[-1] == Veil((), 1000 - MOST_VEILS, 0, 1000 - MOST_VEILS)
    for number in range(100):
        made = add(cover(made, f"s{number}"), [Arrival(2, 1)], ROUTE, 110)[0]
    assert len(made.veils) == MOST_VEILS + 1


def test_a_veil_that_nothing_is_under_any_more_makes_room() -> None:
    made = group(*(Arrival(2, 1, (str(number),)) for number in range(MOST_VEILS)))
    made = change(made, Ticket(made.id, 6, 5), NEW, CLOSED)
    made, tickets = add(made, [Arrival(2, 1, ("new",)), Arrival(2, 1, ("5",))], ROUTE, 110)

    assert made.veils[5] == Veil(("new",), 1, 0, 1)
    assert [ticket.veil for ticket in tickets] == [5, MOST_VEILS]
