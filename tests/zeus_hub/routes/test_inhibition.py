"""Which alerts fire that make others not worth telling."""

from tests.zeus_hub.routes.made import alert, inhibition
from zeus_hub.routes import inhibition as module
from zeus_hub.routes.inhibition import FIRES_SECONDS, Source, Sources, marks, owner, owner_of
from zeus_hub.routes.matcher import subject
from zeus_hub.routes.rules import Inhibition

ONE = inhibition('rule.id in ["2", "3"]', 'rule.id in ["1", "3"]', "source.ip")


def said(rule: str, by: Inhibition = ONE, /, **about: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what an alert of a rule is a source and a target of."""
    stored = alert(rule=rule, **about)  # type: ignore[arg-type]
    return marks([by], stored, subject(stored))


def held(sources: Sources, rule: str, now: float = 0, by: Inhibition = ONE, /, **about: object) -> bool:
    """Tell whether an alert of a rule is held back."""
    return any(sources.holds(name, now) for name in said(rule, by, **about)[1])


def fire(sources: Sources, rule: str, now: float = 0, **about: object) -> None:
    for mark in said(rule, **about)[0]:
        sources.fire(mark, now)


def test_a_target_is_held_back_while_its_source_fires() -> None:
    sources = Sources()
    assert not held(sources, "1")
    fire(sources, "2")

    assert held(sources, "1")
    assert not held(sources, "4")
    assert held(sources, "1", FIRES_SECONDS - 1)
    assert not held(sources, "1", FIRES_SECONDS)


def test_what_must_be_alike_is_and_the_client_always() -> None:
    sources = Sources()
    fire(sources, "2")

    assert not held(sources, "1", ips=("192.0.2.7", ""))
    assert not held(sources, "1", client="beta")
    assert held(sources, "1", ips=("203.0.113.9", "another"))


def test_fields_that_are_not_there_are_alike() -> None:
    sources = Sources()
    fire(sources, "2", ips=("", ""))

    assert held(sources, "1", ips=("", ""))


def test_what_is_closed_does_not_fire_and_what_is_opened_again_does() -> None:
    sources = Sources()
    (mark,), _ = said("2")
    sources.fire(mark, 0)
    sources.fire(mark, 10)

    sources.change(mark, 0, -1)
    assert held(sources, "1")
    sources.change(mark, 10, -1)
    assert not held(sources, "1")
    sources.change(mark, 0, 1)
    assert held(sources, "1")


def test_what_came_a_day_before_another_one_does_not_count_to_it() -> None:
    """Whether it is still open or not, and whatever people do about it then."""
    sources, now = Sources(), FIRES_SECONDS
    (mark,), _ = said("2")
    sources.fire(mark, 0)
    sources.fire(mark, now)
    sources.change(mark, 0, -1)
    assert held(sources, "1", now)
    sources.change(mark, 0, 1)
    sources.change(mark, now, -1)
    assert not held(sources, "1", now)


def test_what_came_less_than_a_day_before_another_one_fires_with_it() -> None:
    sources, now = Sources(), FIRES_SECONDS - 1
    (mark,), _ = said("2")
    sources.fire(mark, 0)
    sources.fire(mark, now)
    sources.change(mark, now, -1)
    assert held(sources, "1", now + now)
    sources.change(mark, 0, -1)
    assert not held(sources, "1", now)


def test_two_that_match_both_sides_do_not_silence_each_other() -> None:
    sources = Sources()
    fire(sources, "3")
    fire(sources, "3")

    assert not held(sources, "3")
    assert held(sources, "1")
    fire(sources, "2")
    assert held(sources, "3")


def test_inhibitions_are_told_apart_by_what_they_say() -> None:
    sources = Sources()
    other = inhibition('rule.id in ["2", "3"]', 'rule.id in ["1", "3"]', "destination.ip")
    fire(sources, "2")

    assert not held(sources, "1", 0, other)


def test_the_sources_of_one_client_are_bounded_and_old_ones_make_room() -> None:
    sources = Sources()
    for number in range(module.MOST_SOURCES + 5):
        sources.fire(f"acme/rule/{number}-", 0)
    assert len(sources.changed) == module.MOST_SOURCES

    sources.fire("beta/rule/0-", 1)
    sources.fire("acme/rule/late-", FIRES_SECONDS)
    assert [sources.get(name) is not None for name in ("beta/rule/0", "acme/rule/late")] == [True, True]
    assert sources.get("acme/rule/0") is None
    assert "acme/rule/0" in sources.changed


def test_sources_are_forgotten_when_their_time_is_over_in_the_order_in_which_they_came_last() -> None:
    sources = Sources([Source("acme/rule/2", 5, 1, since=2), Source("acme/rule/1", 0, 1)])
    sources.fire("acme/rule/3-", 6)
    sources.fire("acme/rule/1-", 7)
    sources.expire(FIRES_SECONDS + 6)
    assert sources.changed == {f"acme/rule/{number}" for number in (1, 2, 3)}

    found = [sources.get(f"acme/rule/{number}") for number in (1, 2, 3)]
    assert found == [Source("acme/rule/1", 7, 2), None, None]


def test_after_a_restart_sources_are_forgotten_in_their_order_and_bounded_as_before() -> None:
    """Whatever order a database has them in."""
    kept = [Source(f"acme/rule/{number}", number, 1) for number in reversed(range(module.MOST_SOURCES))]
    sources = Sources(kept)
    sources.fire("acme/rule/more-", module.MOST_SOURCES)
    assert sources.get("acme/rule/more") is None

    sources.expire(FIRES_SECONDS)
    assert sources.changed == {"acme/rule/0"}
    sources.fire("acme/rule/more-", FIRES_SECONDS)
    assert sources.get("acme/rule/more") is not None


def test_names_say_whose_they_are() -> None:
    (fires,), (veil,) = said("3")

    assert fires.startswith("acme/")
    assert owner_of(veil) == owner(ONE)
    assert owner_of("inhibit:of before") == ""


def test_what_changed_is_known_until_it_is_kept() -> None:
    sources = Sources()
    fire(sources, "2")
    (name,) = sources.changed
    kept = sources.get(name)
    assert kept is not None

    assert held(Sources([kept]), "1")
    sources.changed = set()
    sources.change("nobody-", 0, -1)
    assert sources.changed == set()
