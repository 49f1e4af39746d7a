from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_display import pages
from hermes_display.pages import MOST, TURN, Pages
from tests.hermes_display.watch_server import NOON


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def after(total: int, *seconds: float, to: Pages | None = None) -> list[int]:
    """Return which page is shown at each of these seconds."""
    shown = to or Pages()
    found = []
    for second in seconds:
        shown = pages.ticked(shown, total, at(second))
        found.append(shown.number)
    return found


def test_one_page_stays() -> None:
    assert after(MOST, 0, 20, 200) == [0, 0, 0]
    assert after(0, 0, 20) == [0, 0]


def test_pages_turn_every_quarter_of_a_minute_and_begin_anew() -> None:
    assert after(45, 0, 14, 15, 29, 30, 45) == [0, 0, 1, 1, 2, 0]
    assert timedelta(seconds=15) == TURN


def test_the_page_of_a_client_with_something_new_comes_at_once_and_stays_its_whole_time() -> None:
    shown = pages.ticked(Pages(), 60, at(0))
    shown = pages.jumped(shown, 45, 60)
    assert shown.number == 2
    assert after(60, 14, 28, 29, to=shown) == [2, 2, 0]


def news(*places: int, to: Pages, total: int = 60) -> Pages:
    for place in places:
        to = pages.jumped(to, place, total)
    return to


def test_a_client_with_news_every_few_seconds_hides_no_other() -> None:
    """Its page comes out of turn once in a round, and does not stay longer for it."""
    shown = pages.ticked(Pages(), 60, at(0))
    seen = []
    for second in range(1, 120):
        shown = pages.ticked(news(45, to=shown), 60, at(second))
        seen.append(shown.number)
    assert min(seen.count(page) for page in (0, 1)) >= 30
    assert seen.count(2) >= 30


def test_pages_with_news_are_seen_one_after_another() -> None:
    shown = news(45, 25, 46, to=pages.ticked(Pages(), 60, at(0)))
    assert after(60, 1, 5, 6, 20, 21, to=shown) == [2, 2, 1, 1, 2]


def test_what_is_on_the_screen_needs_no_jump() -> None:
    shown = pages.ticked(Pages(), 60, at(0))
    assert news(3, to=shown) == shown
    assert news(3, to=shown, total=20) == shown


def test_a_page_that_waits_and_is_gone_is_not_shown() -> None:
    shown = news(45, 25, to=pages.ticked(Pages(), 60, at(0)))
    assert after(20, 1, 6, 7, to=shown) == [0, 0, 0]


def test_a_page_that_is_gone_is_not_shown() -> None:
    """Clients went; a clock that was put back holds no page for ever."""
    assert pages.on_page(list(range(5)), Pages(2)) == (0, [0, 1, 2, 3, 4])
    assert after(5, 1, to=Pages(2, at(0))) == [0]
    assert after(60, -1000, -985, to=Pages(0, at(0))) == [0, 1]


def test_a_large_screen_has_fewer_clients_on_a_page() -> None:
    assert [pages.most(scale) for scale in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)] == [20, 20, 16, 12, 12, 6]


@given(st.integers(0, 300), st.floats(1.0, 1.5))
def test_every_client_is_on_one_page_and_no_page_is_all_but_empty(total: int, scale: float) -> None:
    most = pages.most(scale)
    clients = list(range(total))
    split = [
        pages.on_page(clients, Pages(number, most=most))[1] for number in range(pages.count(total, most))
    ]
    assert [client for page in split for client in page] == clients
    assert all(len(page) <= most for page in split)
    assert not total or len(split[-1]) * len(split) >= len(split[0])


@pytest.mark.parametrize(
    ("total", "sizes"), [(20, [20]), (21, [11, 10]), (45, [15, 15, 15]), (60, [20, 20, 20])]
)
def test_clients_are_spread_evenly(total: int, sizes: list[int]) -> None:
    found = [len(pages.on_page(list(range(total)), Pages(number))[1]) for number in range(len(sizes))]
    assert found == sizes
