from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_display import feed, pages
from hermes_display.alarms import MOST_ALARMS
from hermes_display.board import (
    MOST_ALERTS,
    MOST_CLIENTS,
    MOST_NODES,
    MOST_SEEN,
    Board,
    Event,
    Link,
    Tick,
    fold,
    order,
)
from hermes_display.feed import MOST_WAITING, ROWS
from hermes_display.pages import Pages
from hermes_display.rows import LONGEST_NAME, LONGEST_TITLE
from hermes_display.tally import CRITICAL, HIGH, LOW, UNKNOWN
from socme.v1.alert_pb2 import Alert, AlertSource, ConditionState, Endpoint, Host, Rule, Severity, Threat
from socme.v1.vitals_pb2 import ClientStatus, Health, NodeState, NodeStatus, Vitals
from socme.v1.watch_pb2 import (
    Bookmark,
    ClientSummary,
    FleetEvent,
    Lagged,
    SeverityCount,
    Slot,
    Snapshot,
    StoredAlert,
    StoredAlerts,
    TacticCount,
    Triage,
    TriageChange,
    TriageChanges,
    TriageStatus,
    WatchEvent,
)
from tests.hermes_display.watch_server import NOON, change, snapshot, stamp, status, stored, summary

EMPTY = Board(link=Link(up=False, since=NOON))
NEW, ACKNOWLEDGED, CLOSED = (
    TriageStatus.TRIAGE_STATUS_NEW,
    TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED,
    TriageStatus.TRIAGE_STATUS_CLOSED,
)
SEVERE = Severity.SEVERITY_CRITICAL


def folded(*events: Event | Tick, board: Board = EMPTY) -> Board:
    for event in events:
        board = fold(board, event)
    return board


def alert(*args: object, **more: object) -> WatchEvent:
    return WatchEvent(alerts=StoredAlerts(alerts=[stored(*args, **more)]))  # type: ignore[arg-type]


def told(*clients: ClientSummary, alerts: tuple[StoredAlert, ...] = ()) -> WatchEvent:
    return WatchEvent(snapshot=snapshot(*alerts, clients=clients))


def triaged(*changes: TriageChange) -> WatchEvent:
    return WatchEvent(triage=TriageChanges(changes=changes))


def second(number: int) -> Tick:
    return Tick(NOON + timedelta(seconds=number))


def titles(board: Board) -> list[str]:
    return [row.title for row in board.feed.shown]


# Texts and numbers as a hub could send them, or one that went wrong.
texts = st.text(max_size=300)
names = st.sampled_from(["acme", "globex", "initech"]) | texts
stamps = st.builds(
    lambda seconds: stamp(NOON + timedelta(seconds=seconds)), st.integers(-(10**6), 10**6)
) | st.just(stamp(NOON).__class__(seconds=2**62))
triages = st.builds(Triage, status=st.integers(-1, 9), owner=texts)
ids = st.binary(max_size=20)
alerts = st.builds(
    StoredAlert,
    client=names,
    node=names,
    received=stamps,
    triage=triages,
    alert=st.builds(
        Alert,
        id=ids,
        severity=st.integers(-5, 99),
        rule=st.builds(Rule, id=texts, name=texts),
        message=texts,
        source_endpoint=st.builds(Endpoint, ip=texts),
        host=st.builds(Host, name=texts),
        threat=st.builds(Threat, tactic_names=st.lists(texts, max_size=3)),
        count=st.integers(0, 2**32 - 1),
    ),
)
counts = st.builds(SeverityCount, severity=st.integers(-5, 99), alerts=st.integers(0, 2**64 - 1))
summaries = st.builds(
    ClientSummary,
    client=names,
    name=texts,
    short_name=texts,
    nodes=st.integers(0, 2**32 - 1),
    last_day=st.lists(counts, max_size=6),
    open=st.lists(counts, max_size=6),
    fresh=st.lists(counts, max_size=6),
    hours=st.lists(st.integers(0, 2**64 - 1), max_size=30),
    usual=st.none() | st.floats(),
)
snapshots = st.builds(
    Snapshot,
    clients=st.lists(summaries, max_size=6),
    alerts=st.lists(alerts, max_size=6),
    time=stamps,
    timeline=st.lists(st.builds(Slot, begin=stamps, alerts=st.lists(counts, max_size=3)), max_size=5),
    tactics=st.lists(st.builds(TacticCount, tactic=texts, alerts=st.integers(0, 2**64 - 1)), max_size=20),
)
statuses = st.builds(
    NodeStatus,
    client=names,
    node=names,
    state=st.integers(-1, 99),
    last_seen=stamps,
    vitals=st.just(Vitals()),
    health=st.integers(-1, 99),
    reasons=st.lists(texts, max_size=2),
)
healths = st.builds(
    ClientStatus, client=names, health=st.integers(-1, 99), reasons=st.lists(texts, max_size=2), since=stamps
)
bookmarks = st.builds(Bookmark, time=stamps)
changes = st.builds(
    TriageChange,
    client=names,
    node=names,
    id=ids,
    severity=st.integers(-5, 99),
    count=st.integers(0, 2**32 - 1),
    received=stamps,
    before=st.integers(-1, 9),
    after=triages,
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(WatchEvent, snapshot=snapshots),
    st.builds(WatchEvent, alerts=st.builds(StoredAlerts, alerts=st.lists(alerts, max_size=3))),
    st.builds(WatchEvent, triage=st.builds(TriageChanges, changes=st.lists(changes, max_size=3))),
    st.builds(WatchEvent, bookmark=bookmarks),
    st.just(WatchEvent(cursor=b"of an event that is too new")),
    st.builds(FleetEvent, node=statuses),
    st.builds(FleetEvent, client=healths),
    st.builds(FleetEvent, bookmark=bookmarks),
    st.just(FleetEvent()),
    st.builds(Link, up=st.booleans(), since=st.just(NOON)),
)
steps: st.SearchStrategy[Event | Tick] = events | st.builds(second, st.integers(-100, 10_000))


def check_bounds(board: Board) -> None:
    assert len(board.feed.shown) <= ROWS
    assert len(board.feed.waiting) <= MOST_WAITING
    assert len(board.clients) <= MOST_CLIENTS
    assert len(board.nodes) <= MOST_NODES
    assert len(board.seen) <= MOST_SEEN
    assert len(board.alarms.rows) <= MOST_ALARMS
    shown = [*board.feed.shown, *board.feed.waiting]
    assert len({row.key for row in board.feed.shown}) == len(board.feed.shown)
    for row in shown:
        assert len(row.title) <= LONGEST_TITLE
        assert len(row.facts) <= 5
        assert all(len(fact) <= LONGEST_NAME for fact in (row.client, row.owner, *row.facts))
        assert row.count > 0
    for name, client in board.clients.items():
        assert all(len(text) <= LONGEST_NAME for text in (name, client.name, client.short))
        assert len(client.open) <= 5
        assert all(number > 0 for number in [*client.open.values(), *client.fresh.values()])


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=30))
def test_any_input_leaves_a_bounded_board(arrived: list[Event | Tick]) -> None:
    check_bounds(folded(*arrived))


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=10), snapshots)
def test_a_snapshot_may_come_twice(arrived: list[Event | Tick], taken: Snapshot) -> None:
    once = folded(*arrived, WatchEvent(snapshot=taken))
    twice = fold(once, WatchEvent(snapshot=taken))
    assert (twice.clients, twice.feed, twice.day, twice.time) == (
        once.clients,
        once.feed,
        once.day,
        once.time,
    )


def test_lists_have_limits() -> None:
    """Of too many, the latest alerts stay, and the clients and nodes that came first."""
    many = [alert(number, client=f"client-{number}") for number in range(MOST_CLIENTS + 10)]
    nodes = [FleetEvent(node=status(f"node-{number}")) for number in range(MOST_NODES + 10)]
    summaries = tuple(summary(f"client-{number}") for number in range(MOST_CLIENTS + 10))

    board = folded(*many, *nodes)
    check_bounds(board)
    assert len(board.nodes) == MOST_NODES

    board = fold(board, told(*summaries, alerts=tuple(stored(number) for number in range(500))))
    check_bounds(board)
    assert titles(board)[:2] == ["Alert 499", "Alert 498"]


def test_a_snapshot_replaces_what_was_there() -> None:
    old = folded(alert(1, client="gone"), alert(2))
    board = fold(old, told(summary("acme", name="Acme", nodes=2, high=7), alerts=(stored(3),)))
    assert list(board.clients) == ["acme"]
    assert board.clients["acme"].name == "Acme"
    assert board.clients["acme"].open == {HIGH: 7}
    assert titles(board) == ["Alert 3"]
    assert board.time == NOON


def many_low(number: int = MOST_ALERTS) -> tuple[StoredAlert, ...]:
    low = Severity.SEVERITY_LOW
    return tuple(stored(100 + each, severity=low, client="acme", count=2) for each in range(number))


def test_what_is_shown_stays_where_a_snapshot_has_low_alerts_alone() -> None:
    """It has the latest of all; at fifty a second, those are of the last seconds."""
    board = folded(told(summary("acme", high=2)), alert(1), second(1), second(2), alert(2))
    board = fold(board, triaged(change(2, NEW, CLOSED)))
    fresh = fold(board, told(summary("acme", high=1), alerts=many_low()))
    assert titles(fresh) == ["Alert 1"]

    whole = fold(board, told(summary("acme", high=1), alerts=many_low(10)))
    assert titles(whole) == [], "a snapshot that has all there is knows better"
    gone = fold(board, told(summary("beta"), alerts=many_low()))
    assert titles(gone) == [], "the client is not there any more"


def test_a_row_that_goes_on_keeps_its_older_alerts_over_a_snapshot() -> None:
    board = folded(told(summary("acme")), *(alert(number, name="Scan") for number in range(20)))
    again = (*many_low(MOST_ALERTS - 1), stored(500, name="Scan"))
    board = fold(board, told(summary("acme"), alerts=again))
    assert [row.count for row in board.feed.shown] == [21]


def test_after_a_gap_nothing_is_kept_that_may_be_closed() -> None:
    board = folded(told(summary("acme", high=1)), alert(1), WatchEvent(lagged=Lagged(reason="away")))
    assert titles(fold(board, told(summary("acme"), alerts=many_low()))) == []


def test_the_end_of_something_is_no_alarm_and_counts_as_nothing() -> None:
    """The hub's own alert that a critical condition is over; it closes both a moment later."""
    end = stored(7, severity=SEVERE, name="The disk is full (over)")
    end.alert.source = AlertSource.ALERT_SOURCE_SOCME
    end.alert.condition.state = ConditionState.CONDITION_STATE_CLEARED
    before = folded(told(summary("acme", open={"critical": 1}, fresh={"critical": 1})))
    board = fold(before, WatchEvent(alerts=StoredAlerts(alerts=[end])))
    assert (board.alarms.number, board.feed, board.clients) == (0, before.feed, before.clients)

    closed = change(7, NEW, CLOSED, severity=SEVERE), change(6, NEW, CLOSED, severity=SEVERE)
    board = fold(board, triaged(*closed))
    assert board.clients["acme"].open.get(CRITICAL, 0) == 0
    again = fold(board, triaged(change(7, CLOSED, NEW, severity=SEVERE)))
    assert again.clients["acme"].open == {CRITICAL: 1}, "who opens it again counts it"


def test_the_same_said_by_a_node_is_an_alert_like_others() -> None:
    claimed = stored(7, severity=SEVERE)
    claimed.alert.source = AlertSource.ALERT_SOURCE_WAZUH
    claimed.alert.condition.state = ConditionState.CONDITION_STATE_CLEARED
    board = folded(told(summary("acme")), WatchEvent(alerts=StoredAlerts(alerts=[claimed])))
    assert board.alarms.number == 1


def test_open_and_fresh_alerts_are_told_apart() -> None:
    one = summary("acme", high=90, open={"high": 7, "low": 2}, fresh={"high": 1})
    client = folded(told(one, summary("quiet", low=5))).clients
    assert (client["acme"].open, client["acme"].fresh) == ({HIGH: 7, LOW: 2}, {HIGH: 1})
    assert (client["quiet"].open, client["quiet"].fresh) == ({}, {})


def test_a_hub_that_knows_no_triage_counts_the_last_day() -> None:
    client = folded(told(summary("acme", high=7))).clients["acme"]
    assert client.open == client.fresh == {HIGH: 7}


def test_alerts_count_on_top_of_the_snapshot() -> None:
    """A roll-up counts as many as it stands for; an alert that is told twice counts once."""
    board = folded(
        told(summary("acme", open={"high": 7}, fresh={"high": 2})),
        alert(1),
        alert(1),
        alert(2, count=5),
        alert(3, severity=Severity.SEVERITY_LOW),
        alert(4, status=ACKNOWLEDGED),
        alert(5, status=CLOSED),
    )
    client = board.clients["acme"]
    assert (client.open, client.fresh) == ({HIGH: 14, LOW: 1}, {HIGH: 8, LOW: 1})
    assert titles(board) == ["Alert 1"], "one row a second"


def test_what_people_do_moves_the_counts_and_the_feed() -> None:
    board = folded(
        told(summary("acme", open={"high": 7}, fresh={"high": 2}), alerts=(stored(1), stored(2, count=3)))
    )
    board = fold(board, triaged(change(1, NEW, ACKNOWLEDGED, owner="anna")))
    assert (board.clients["acme"].open, board.clients["acme"].fresh) == ({HIGH: 7}, {HIGH: 1})
    assert [(row.title, row.owner) for row in board.feed.shown] == [("Alert 2", ""), ("Alert 1", "anna")]

    board = fold(board, triaged(change(1, ACKNOWLEDGED, CLOSED), change(2, NEW, CLOSED, count=3)))
    assert (board.clients["acme"].open, board.clients["acme"].fresh) == ({HIGH: 3}, {})
    assert titles(board) == []

    board = fold(board, triaged(change(1, CLOSED, NEW)))
    assert (board.clients["acme"].open, board.clients["acme"].fresh) == ({HIGH: 4}, {HIGH: 1})


def test_what_people_do_about_old_alerts_or_those_that_are_not_shown_moves_nothing() -> None:
    board = folded(told(summary("acme", open={"low": 7}, fresh={"low": 2})))
    old = change(1, NEW, CLOSED, severity=Severity.SEVERITY_LOW, received=NOON - timedelta(days=2))
    assert fold(board, triaged(old)).clients == board.clients
    assert fold(board, triaged(change(1, NEW, CLOSED, client="nowhere"))).clients == board.clients
    picky = folded(told(summary("acme", open={"high": 1})), board=Board(EMPTY.link, least=HIGH))
    low = change(1, NEW, CLOSED, severity=Severity.SEVERITY_LOW)
    assert fold(picky, triaged(low)).clients == picky.clients


def test_severities_below_the_least_do_not_count() -> None:
    board = folded(told(summary("acme", high=7, low=900, unspecified=1)), board=Board(EMPTY.link, least=HIGH))
    assert board.clients["acme"].open == {HIGH: 7, UNKNOWN: 1}


# Alarms


def test_a_new_critical_alert_raises_the_alarm_and_the_first_snapshot_does_not() -> None:
    board = folded(told(summary("acme"), alerts=(stored(1, severity=SEVERE),)))
    assert board.alarms.number == 0
    board = folded(alert(2, severity=SEVERE), alert(3), alert(4, severity=SEVERE, status=CLOSED), board=board)
    assert (board.alarms.number, [row.title for row in board.alarms.rows]) == (1, ["Alert 2"])
    board = folded(*[alert(number, severity=SEVERE) for number in range(10, 30)], board=board)
    assert (board.alarms.number, board.alarms.rows[0].title) == (21, "Alert 29")


def test_an_alarm_is_over_when_somebody_takes_the_alert() -> None:
    board = folded(told(summary("acme")), alert(1, severity=SEVERE), alert(2, severity=SEVERE))
    board = fold(board, triaged(change(2, NEW, ACKNOWLEDGED, severity=SEVERE)))
    assert [row.title for row in board.alarms.rows] == ["Alert 1"]
    assert board.alarms.number == 2


def test_a_critical_alert_that_only_a_further_snapshot_tells_raises_the_alarm() -> None:
    """It came between the end of one stream and the beginning of the next."""
    known = stored(1, severity=SEVERE)
    board = folded(told(summary("acme"), alerts=(known,)), WatchEvent(bookmark=bookmark(60)))
    fresh = stored(59, severity=SEVERE)
    old = stored(7, severity=SEVERE)
    board = fold(board, told(summary("acme"), alerts=(known, old, fresh)))
    assert (board.alarms.number, [row.title for row in board.alarms.rows]) == (1, ["Alert 59"])
    flood = [alert(number, severity=Severity.SEVERITY_LOW) for number in range(1000, 1100)]
    board = folded(*flood, told(summary("acme"), alerts=(known, old, fresh)), board=board)
    assert board.alarms.number == 1, "once, whatever came since"


def bookmark(seconds: int) -> Bookmark:
    return Bookmark(time=stamp(NOON + timedelta(seconds=seconds)))


# Seconds: the feed's pace, pages, the rate


def test_the_page_of_a_new_critical_alert_comes_to_the_front() -> None:
    summaries = tuple(summary(f"client-{number:02}") for number in range(45))
    board = folded(told(*summaries), second(0))
    board = fold(board, alert(1, client="client-31", severity=SEVERE))
    assert "client-31" in pages.on_page(order(board), board.pages)[1]
    board = folded(second(1), second(15), board=board)
    assert "client-31" in pages.on_page(order(board), board.pages)[1]
    assert "client-31" not in pages.on_page(order(board), fold(board, second(16)).pages)[1]


def test_clients_keep_their_places() -> None:
    board = folded(told(summary("b"), summary("a"), summary("c")))
    assert order(board) == ["a", "b", "c"]
    assert order(folded(alert(1, client="c"), alert(2, client="b"), board=board)) == ["a", "b", "c"]
    assert order(fold(board, FleetEvent(node=status(client="aa")))) == ["a", "aa", "b", "c"]


def test_the_rate_follows_what_arrives_and_falls_to_none() -> None:
    board = EMPTY
    for number in range(60):
        board = folded(alert(number, count=2), second(number), board=board)
    assert 1.9 < board.rate < 2.1
    for number in range(60, 160):
        board = fold(board, second(number))
    assert board.rate == 0.0


def test_a_second_in_which_nothing_happens_changes_nothing() -> None:
    """So that an idle wall draws nothing."""
    board = folded(told(summary("acme")), second(0))
    assert fold(board, second(1)) is board


def test_a_flood_shows_its_most_severe_alerts_and_one_row_a_second() -> None:
    board = EMPTY
    shown = 0
    for number in range(2000):
        severe = SEVERE if number % 400 == 399 else Severity.SEVERITY_MEDIUM
        before = {row.key for row in board.feed.shown}
        board = fold(board, alert(number, severity=severe, name=f"Alert {number}"))
        if number % 100 == 99:
            board = fold(board, second(number // 100))
        shown += len({row.key for row in board.feed.shown} - before)
    assert shown <= 21
    assert board.alarms.number == 5
    assert [row.severity for row in board.feed.shown].count(CRITICAL) >= 2
    assert feed.ticked(board.feed).shown


# Nodes, health and time


def test_nodes_come_change_and_go() -> None:
    board = folded(FleetEvent(node=status()), FleetEvent(node=status("acme-2")))
    assert set(board.nodes) == {("acme", "acme-1"), ("acme", "acme-2")}
    assert list(board.clients) == ["acme"]

    board = folded(
        FleetEvent(node=status(state=NodeState.NODE_STATE_OFFLINE)),
        FleetEvent(node=status("acme-2", state=NodeState.NODE_STATE_REVOKED)),
        board=board,
    )
    assert [(node.name, node.is_online) for node in board.nodes.values()] == [("acme-1", False)]


def test_a_screen_that_is_refused_has_nothing_to_show() -> None:
    """While the hub is only away, what was there stays, and is called old."""
    full = folded(
        WatchEvent(snapshot=snapshot(stored(1), clients=(summary("acme", high=1),))),
        FleetEvent(node=status()),
        board=Board(Link(up=True, since=NOON), least=Severity.SEVERITY_HIGH, pages=Pages(most=6)),
    )
    away = Link(up=False, since=NOON, reason="no answer")
    refused = Link(up=False, since=NOON, reason="this certificate was revoked", refused=True)

    assert fold(full, away).feed == full.feed
    assert full.feed.shown
    assert fold(full, refused) == Board(refused, Severity.SEVERITY_HIGH, pages=full.pages)


def test_a_new_connection_tells_all_nodes_anew() -> None:
    """A node that was removed while the link was down must not stay on the wall."""
    board = folded(FleetEvent(node=status()), Link(up=False, since=NOON))
    assert board.nodes
    assert not fold(board, Link(up=True, since=NOON)).nodes


def test_the_health_of_a_client_outlives_snapshots() -> None:
    """The fleet tells it once, and each change."""
    blind = ClientStatus(
        client="acme", health=Health.HEALTH_BLIND, reasons=["acme-1: \x1bno packets"], since=stamp(NOON)
    )
    board = folded(told(summary("acme")), FleetEvent(client=blind), told(summary("acme", high=1)))
    client = board.clients["acme"]
    assert (client.health, client.since, client.open) == (Health.HEALTH_BLIND, NOON, {HIGH: 1})
    assert client.reason == "acme-1: \N{REPLACEMENT CHARACTER}no packets"


@pytest.mark.parametrize("seconds", [1, 900, 3600, 7200])
def test_time_moves_quarters_and_hours_on(seconds: int) -> None:
    board = folded(told(summary("acme", hours=[5] * 24, usual=9.0)))
    board = fold(board, WatchEvent(bookmark=bookmark(seconds)))
    hours, day = board.clients["acme"].hours, board.day
    assert hours is not None
    assert day is not None
    assert hours.begin == NOON + timedelta(hours=seconds // 3600)
    assert day.begin == NOON + timedelta(minutes=15 * (seconds // 900))


def test_the_boards_time_is_the_hubs() -> None:
    later = NOON + timedelta(minutes=5)
    board = folded(told(), FleetEvent(bookmark=Bookmark(time=stamp(later))))
    assert board.time == later
    assert fold(board, alert(1)).time == later  # an alert that is caught up does not turn it back
    assert fold(board, WatchEvent(bookmark=Bookmark())).time == later


def test_an_alert_is_counted_in_the_hour_the_quarter_and_for_its_tactics() -> None:
    event = alert(1)
    event.alerts.alerts[0].alert.threat.tactic_names[:] = ["Impact"]
    board = folded(told(summary("acme", hours=[0] * 24)), event)
    assert board.clients["acme"].hours is not None
    assert board.clients["acme"].hours.counts[-1] == 1
    assert board.day is not None
    assert (board.day.quarters[-1], board.day.tactics) == ({HIGH: 1}, {"Impact": 1})


def test_of_a_hub_that_does_not_tell_the_last_day_it_is_what_the_screen_saw() -> None:
    """The next snapshot, which comes every few minutes, takes nothing away."""
    board = folded(told(summary("acme")), alert(1), told(summary("acme")))
    assert board.day is not None
    assert board.day.quarters[-1] == {HIGH: 1}
    fresh = told(summary("acme"))
    fresh.snapshot.timeline.add().begin.CopyFrom(stamp(NOON))
    again = fold(board, fresh).day
    assert again is not None
    assert not any(again.quarters)


def test_the_screens_own_clock_turns_pages_and_makes_nothing_old() -> None:
    board = folded(told(summary("acme")), second(10**8))
    assert board.time == NOON


@pytest.mark.parametrize(("known", "counted"), [([3] * 24, 1), ([], None)], ids=["told", "not told"])
def test_a_client_that_comes_later_has_had_nothing_before(known: list[int], counted: int | None) -> None:
    """If the hub tells of any client what its day was like."""
    board = folded(told(summary("acme", hours=known)), alert(1, client="globex", received=NOON))

    hours = board.clients["globex"].hours
    assert (hours and sum(hours.counts)) == counted
