from artemis_agent.link import Link


def test_what_is_spooled_leaves_at_once_only_while_the_hub_takes_it() -> None:
    """Connected to a hub that waits for room on its disk, nothing leaves."""
    link = Link()
    assert not link.live

    link.become("connected")
    assert link.live
    link.slow("much waits", paused=False)
    assert link.live
    link.slow("the disk is full", paused=True)
    assert not link.live
    link.become("connected")
    assert link.live
    link.become("waiting")
    assert not link.live


def test_a_state_keeps_its_time_and_a_reason_stays_for_the_record() -> None:
    link = Link()
    link.become("waiting", error="no route")
    since = link.since
    link.become("waiting")

    assert link.since == since
    link.become("connected")
    assert link.last_error == "no route"


def test_each_change_is_told() -> None:
    link = Link()
    link.become("refused")
    assert link.changed.is_set()
    link.changed.clear()
    link.slow("the disk is full", paused=True)
    assert link.changed.is_set()
