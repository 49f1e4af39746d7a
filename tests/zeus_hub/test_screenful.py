"""The picture of `zeus top`."""

import pytest

from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health, Vitals
from tests.zeus_hub.stored import alert
from tests.zeus_hub.test_overview import came, made, node
from zeus_hub.overview import FLEET, Overview
from zeus_hub.screenful import draw


def plain(found: Overview, width: int = 130, height: int = 30, at: float = 100) -> list[str]:
    return [line.plain.rstrip() for line in draw(found, width=width, height=height, at=at)]


def full() -> Overview:
    vitals = Vitals(cpu_usage=0.07, cpu_count=2)
    disk = vitals.disks.add().capacity
    disk.total_bytes, disk.used_bytes = 100, 95
    vitals.spool.alerts = 1234
    found = made()
    found.take(node(vitals=vitals), 100)
    found.take(node("acme-2", Health.HEALTH_BLIND, reasons=["no [red]packets[/red]\x1b[2J"]), 100)
    found.take(
        came(alert(1), alert(2, severity=Severity.SEVERITY_CRITICAL, name="[bold]evil\x1b]0;x\x07")), 100
    )
    return found


def test_a_picture() -> None:
    lines = plain(full())

    assert lines[0] == "live  hub:1  2026-07-01 12:00:00 UTC  q: quit"
    assert lines[1] == "2 nodes: 1 blind, 1 up"
    assert lines[2].startswith("2 alerts in the last 60 s: 1 critical, 1 medium  5 min: ▁▁")
    assert lines[2].endswith("▁█")
    assert lines[4].split() == ["NODE", "HEALTH", "SEEN", "CPU", "MEM", "DISK", "SPOOL", "LAG", "REASON"]
    assert lines[5].split()[:3] == ["acme/acme-2", "blind", "0"]
    assert lines[5].endswith("no [red]packets[/red]\ufffd[2J"), "neither markup nor control characters"
    assert lines[6].split() == ["acme/acme-1", "up", "0", "s", "7%", "-", "95%", "1,234", "0", "B"]
    assert lines[8].split() == ["TIME", "SEVERITY", "NODE", "FROM", "→", "TO", "RULE"]
    assert lines[9].split(maxsplit=6)[1:] == [
        "critical",
        "acme/acme-1",
        "10.0.0.1",
        "→",
        "192.0.2.1",
        "[bold]evil\ufffd]0;x\ufffd",
    ]


@pytest.mark.parametrize("width", [1, 20, 80, 100, 250])
@pytest.mark.parametrize("height", [1, 5, 8, 24, 60])
def test_it_fits_whatever_the_size(width: int, height: int) -> None:
    found = full()
    for number in range(100):
        found.take(node(f"wide-{'名' * 30}{number}"), 100)
        found.take(came(alert(number, name="名" * 300)), 100)
    for at in (100, 110):
        lines = draw(found, width=width, height=height, at=at)

        assert len(lines) <= height
        assert all(line.cell_len <= width and "\n" not in line.plain for line in lines)


def test_a_wide_terminal_shows_how_busy_nodes_were() -> None:
    found = full()
    found.was({("acme", "acme-1"): "▁█" * 12}, "no bars: [red]why[/red]")
    lines = plain(found, width=150)

    assert lines[3] == "no bars: [red]why[/red]"
    assert lines[4].split("LAG")[1].split("REASON")[0].strip() == "CPU, LAST 24 H"
    assert lines[4].index("CPU, LAST") == lines[6].index("▁█" * 12)
    assert "█" not in "".join(plain(found, width=139)[4:])


def test_nodes_leave_room_for_alerts_and_say_how_many_are_hidden() -> None:
    found = full()
    for number in range(100):
        found.take(node(f"n{number}"), 100)
        found.take(came(alert(number)), 100)
    lines = plain(found, height=26)

    assert lines[15] == "… and 92 more: 92 up"
    assert len(lines) == 26
    assert lines[5].startswith("acme/acme-2"), "the worst one is shown"


def test_few_alerts_leave_room_for_nodes() -> None:
    found = full()
    for number in range(100):
        found.take(node(f"n{number}"), 100)

    assert plain(found, height=26)[23] == "… and 84 more: 84 up"


def test_a_narrow_terminal_shows_what_matters_most() -> None:
    lines = plain(full(), width=80)

    assert lines[4].split() == ["NODE", "HEALTH", "SEEN", "SPOOL", "REASON"]
    assert "no [red]packets" in lines[5]


def test_what_is_old_is_shown_as_such() -> None:
    found = full()
    found.lost(FLEET, "connection refused")
    lines = draw(found, width=130, height=30, at=107)

    assert lines[0].plain.strip() == "STALE for 7 s, no contact with the hub: connection refused"
    assert lines[0].style == "bold white on red"
    assert all(any(span.style == "dim" for span in line.spans) for line in lines[1:] if line.plain.strip())


def test_before_the_hub_answered() -> None:
    assert plain(Overview("hub:1"))[0] == " waiting for the hub"
