"""Whatever a node says of itself can be taken, kept, judged and shown."""

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from socme.machine import vitals_rows
from socme.show import lines
from socme.v1.vitals_pb2 import NodeStatus, Vitals
from socme.v1.watch_pb2 import FleetEvent
from socme.view import json_line, node_view
from tests.zeus_hub import stored
from tests.zeus_hub.kit import limits
from tests.zeus_hub.whatever import messages
from zeus_hub import fleet, history, registry
from zeus_hub.canary import Tracker
from zeus_hub.clocks import Clocks
from zeus_hub.commands import past
from zeus_hub.conditions import judge_node
from zeus_hub.database import writing
from zeus_hub.fleet import Fleet
from zeus_hub.lookout import Lookout, Sources
from zeus_hub.overview import Overview
from zeus_hub.screenful import draw

KEY = ("acme", "acme-1")
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
MINUTES = itertools.count()  # one for each example: a moment is kept once


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = stored.database(tmp_path)
    with writing(made) as connection:
        registry.put_node(
            *(connection, registry.client_ids(connection, [KEY[0]])[0], KEY[1]),
            fingerprint=b"f",
            enrolled=NOW,
            expires=NOW,
        )
    yield made
    made.dispose()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(messages(Vitals), min_size=2, max_size=3))
def test_whatever_a_node_says_is_taken_kept_judged_and_shown(engine: Engine, many: list[Vitals]) -> None:
    now = NOW + timedelta(minutes=next(MINUTES))
    known = Fleet(engine, lambda: now, lambda: 0.0)
    lookout = _lookout(known)
    known.connected(KEY, 10)
    for vitals in many:
        assert known.reported(KEY, vitals)
        (seen,) = known.nodes()
        judge_node(lookout.node(seen, 0.0), lookout.limits)
    known._write(known._news(whole=True))

    _show(fleet.status(next(known.nodes()).node, now))
    kept = history.day(engine, *KEY, now)
    assert datetime.fromtimestamp(kept[-1].seconds, UTC) == now
    assert list(past.rows(kept, now))
    for point in past.day(kept, now):
        if point is not None:
            _parse(json_line(past.view(point)))


def _lookout(known: Fleet) -> Lookout:
    sources = Sources(
        fleet=known,
        accounts=dict,
        clones=dict,
        sinks=list,
        last=lambda: 0,
        journal_problem=str,
        authority_ends=NOW,
        certificate_ends=NOW,
    )
    return Lookout(sources, Tracker(["store"]), limits(), Clocks(lambda: NOW, lambda: 0.0))


def _show(status: NodeStatus) -> None:
    """Show a node as `zeus top`, `zeus node show` and `zeus node show --json` do."""
    overview = Overview("hub:1")
    overview.take(FleetEvent(node=status), 0)
    assert len(draw(overview, width=200, height=30, at=0)) > 1
    assert all("\n" not in line for line in lines(list(vitals_rows(status.vitals))))
    _parse(json_line(node_view(status)))


def _parse(line: str) -> None:
    """Read JSON, which has neither NaN nor infinity."""

    def refuse(word: str) -> NoReturn:
        raise AssertionError(word)

    json.loads(line, parse_constant=refuse)
