"""What happens to a log's name and rights under a running node: nothing is lost, nothing comes twice."""

from collections import Counter
from pathlib import Path

import pytest

from tests.artemis_agent.sources import eve
from tests.flow.programs import Follow, Hub, Node, Stage, as_ordinary_user, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TOLD_SECONDS = 20.0  # in which `artemis status` says what is wrong, or that it is over


def append(path: Path, *rules: int) -> list[bytes]:
    """Write alerts of some rules; return their lines."""
    path.parent.mkdir(exist_ok=True)
    lines = [eve(rule) for rule in rules]
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))
    return lines


def repoint(link: Path, target: Path) -> None:
    """Let a link lead elsewhere, from one moment to the next."""
    fresh = link.with_name("fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


def wait_for_lines(hub: Hub, number: int) -> list[bytes]:
    """Return the lines that are stored, once there are so many; what hub and node say themselves is none."""

    def enough() -> list[bytes]:
        lines = [alert["raw"].encode() for alert in hub.alerts("--source", "suricata")]
        return lines if len(lines) >= number else []

    return wait_until(enough, f"{number} lines are stored", told=lambda: f"{hub.alerts()}")


def assert_stored(hub: Hub, node: Node, written: list[bytes]) -> None:
    """Check that exactly these are stored, that each was sent once, and that no gap was told."""
    lines = wait_for_lines(hub, len(written))
    done = "all is acknowledged"
    wait_until(lambda: node.status()["spool"]["alerts"] == 0, done, told=node.program.log)
    assert Counter(lines) == Counter(written)
    assert node.status()["spool"]["acknowledged"] == len(written)
    assert hub.alerts("--rule", "socme.gap") == []


def problem(node: Node) -> str:
    """Return what `artemis status` says is wrong with the only source."""
    (source,) = node.status()["sources"]
    return str(source["problem"] or "")


def test_a_link_that_is_led_elsewhere_and_back(stage: Stage, tmp_path: Path) -> None:
    """To a file that is new, to one that was there with lines in it, and to one that was read already."""
    link = tmp_path / "log" / "eve.json"
    first, new, old = (tmp_path / folder / "eve.json" for folder in ("first", "new", "old"))
    written = append(first, 1, 2) + append(old, 3, 4)
    link.parent.mkdir()
    link.symlink_to(first)
    hub = stage.hub()
    node = stage.node(hub, "acme", "acme-1", Follow("suricata", link))
    wait_for_lines(hub, 2)

    written += append(first, 5)
    repoint(link, new)  # which its writer has yet to make
    written += append(first, 6) + append(new, 7)
    wait_for_lines(hub, 5)
    repoint(link, old)
    written += append(new, 8) + append(old, 9)
    wait_for_lines(hub, len(written))
    node.program.stop()
    repoint(link, first)
    written += append(first, 10) + append(old, 11)
    node.program.start()

    assert_stored(hub, node, written)
    assert problem(node) == ""


def test_a_log_that_may_not_be_read_for_a_while(stage: Stage, tmp_path: Path) -> None:
    """As where logrotate makes the new file with the wrong rights. It is told, and then all of it is read."""
    log = tmp_path / "eve.json"
    written = append(log, 1, 2)
    hub = stage.hub()
    node = stage.node(hub, "acme", "acme-1", Follow("suricata", log), start=False)
    node.program.before = as_ordinary_user()
    node.program.start()
    wait_for_lines(hub, 2)

    log.rename(tmp_path / "eve.json.1")
    written += append(tmp_path / "eve.json.1", 3)
    fresh = tmp_path / "fresh"
    written += append(fresh, 4, 5)
    fresh.chmod(0)
    fresh.rename(log)
    told = wait_until(lambda: problem(node), "the problem is told", limit=TOLD_SECONDS, told=node.program.log)
    wait_for_lines(hub, 3)  # the renamed one is read on meanwhile
    node.program.stop()
    node.program.start()
    again = wait_until(lambda: problem(node), "it is told again", limit=TOLD_SECONDS, told=node.program.log)
    text = node.artemis("status")
    log.chmod(0o640)
    written += append(log, 6)

    assert_stored(hub, node, written)
    wait_until(lambda: not problem(node), "it is over", limit=TOLD_SECONDS, told=node.program.log)
    for said in (told, again, text):
        assert f"Permission denied: {log} (give Artemis's user the right to read it, by the group" in said
    assert "PROBLEM" in text
