"""Recordings are played as if they happened now."""

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from socme.demo import replay
from socme.demo.layout import SITES, Site
from socme.demo.replay import Beat

SHIFT = timedelta(days=48, hours=1, minutes=2, seconds=3)
NOW = datetime(2027, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(scope="module")
def beats() -> list[Beat]:
    return replay.beats(*replay.recorded())


def test_every_recorded_alert_is_the_last_of_one_beat(beats: list[Beat]) -> None:
    eve, wazuh = replay.recorded()
    alerts = [line for line in eve.splitlines() if json.loads(line)["event_type"] == "alert"]
    own = [line for line in wazuh.splitlines() if b'"id":"86601"' not in line]

    assert sorted(beat.eve[-1] for beat in beats if beat.eve) == sorted(alerts)
    assert sorted(line for beat in beats if not beat.eve for line in beat.wazuh) == sorted(own)
    assert sorted(line for beat in beats for line in beat.wazuh) == sorted(wazuh.splitlines())
    assert [beat.at for beat in beats] == sorted(beat.at for beat in beats)


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (b'"2026-10-05T08:00:33.685+0000"', b'"2026-11-22T09:02:36.685+0000"'),
        (b'"2026-10-05T08:00:33.548994+0000"', b'"2026-11-22T09:02:36.548994+0000"'),
        (b'"2026-10-05T08:00:33.5489940Z"', b'"2026-11-22T09:02:36.5489940Z"'),
        (b'"mtime_after":"2026-10-05T08:00:33"', b'"mtime_after":"2026-11-22T09:02:36"'),
        (b"Oct  5 08:00:33 bastion", b"Nov 22 09:02:36 bastion"),
        (b"[05/Oct/2026:08:00:33 +0000]", b"[22/Nov/2026:09:02:36 +0000]"),
        (b'"id":"1791187233.0"', b'"id":"1795338156.0"'),
        (b'"id":"86601"', b'"id":"86601"'),
        (b"\xff \xe9 no time at all", b"\xff \xe9 no time at all"),
    ],
)
def test_a_time_is_moved_however_it_is_written(recorded: bytes, expected: bytes) -> None:
    assert replay.moved(recorded, SHIFT) == expected


def test_a_copy_still_carries_its_alerts_time(beats: list[Beat], tmp_path: Path) -> None:
    """Otherwise the node would not recognise it and send both."""
    eve, wazuh = tmp_path / "eve.json", tmp_path / "alerts.json"
    beat = next(beat for beat in beats if beat.eve and beat.wazuh)

    replay.play(beat, NOW, (), eve, wazuh)

    alert = json.loads(eve.read_bytes().splitlines()[-1])
    copy = json.loads(wazuh.read_bytes())
    assert copy["data"]["timestamp"] == alert["timestamp"]
    assert copy["data"]["alert"]["signature_id"] == str(alert["alert"]["signature_id"])
    assert abs(datetime.fromisoformat(copy["timestamp"]) - NOW) < timedelta(milliseconds=1)


def test_all_beats_are_whole_lines_that_end_now(beats: list[Beat], tmp_path: Path) -> None:
    eve, wazuh = tmp_path / "eve.json", tmp_path / "alerts.json"

    for beat in beats:
        replay.play(beat, NOW, SITES[1].names, eve, wazuh)

    content = eve.read_bytes() + wazuh.read_bytes()
    assert content.endswith(b"\n")
    assert content.count(b"\n") == sum(len(beat.eve) + len(beat.wazuh) for beat in beats)
    for line in content.splitlines():
        when = datetime.fromisoformat(json.loads(line.decode("utf-8", "replace"))["timestamp"])
        assert NOW - timedelta(minutes=5) < when <= NOW
    for name in (b"192.0.2.", b"acme", b"2026-10-05"):
        assert name not in content


def test_a_burst_comes_first_and_then_a_persons_pace() -> None:
    paces = list(islice(replay.pauses(random.Random(1)), replay.BURST + 100))

    assert set(paces[: replay.BURST]) == {0.0}
    assert all(replay.FASTEST <= pace <= replay.SLOWEST for pace in paces[replay.BURST :])


def test_the_recording_begins_anew_when_it_is_over(beats: list[Beat]) -> None:
    played = list(islice(replay.endless(beats, random.Random(1)), 2 * len(beats)))

    assert Counter(played[: len(beats)]) == Counter(beats)
    assert played[len(beats) :] == played[: len(beats)]


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.client)
def test_the_burst_shows_something_critical(beats: list[Beat], site: Site) -> None:
    """The first command that the guide proposes asks for the worst alerts, and should find one."""
    burst = islice(replay.endless(beats, random.Random(site.seed)), replay.BURST)

    assert any(is_critical(beat) for beat in burst)


def is_critical(beat: Beat) -> bool:
    if beat.eve:
        return b'"signature_severity":["Critical"]' in beat.eve[-1]
    level: int = json.loads(beat.wazuh[0].decode("utf-8", "replace"))["rule"]["level"]
    return level >= 15
