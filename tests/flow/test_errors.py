"""Every mistake a person can make answers with one clear message, the right exit code, and no traceback.

A row of the table is a mistake: what was done, how it must end, and the words that the answer must hold
(what is wrong, where, and what to do).
"""

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socme import token as tokens
from socme.v1.enrollment_pb2 import EnrollmentToken
from tests.flow.programs import Follow, Hub, Node, Stage, as_ordinary_user, environment, free_port, run

pytestmark = pytest.mark.slow

DONE, FAILED, USAGE = 0, 1, 2
SOURCE = '[[source]]\nkind = "suricata"\npath = "eve.json"\n'


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command with a settings file, and how it must end."""

    name: str
    command: str
    settings: str | None
    words: tuple[str, ...]
    code: int = FAILED
    environment: dict[str, str] = field(default_factory=dict)


SETTINGS_AND_USAGE = [
    Mistake(
        "no settings file", "artemis run", None, ("there is no settings file", "settings.toml", "--config")
    ),
    Mistake("no settings file, zeus", "zeus serve", None, ("there is no settings file", "--config")),
    Mistake("no settings file, hermes", "hermes run", None, ("there is no settings file", "--config")),
    Mistake("not TOML", "artemis run", "state_dir = [", ("is not TOML", "settings.toml")),
    Mistake("no source", "artemis run", 'state_dir = "s"\n', ("source", "needed")),
    Mistake("misspelt key", "artemis run", f'stat_dir = "s"\n{SOURCE}', ("stat_dir", "no such key")),
    Mistake(
        "misspelt key in a table",
        "artemis run",
        f"{SOURCE}[filter]\nmin_sevrity = 1\n",
        ("filter.min_sevrity",),
    ),
    Mistake(
        "unknown kind",
        "artemis run",
        SOURCE.replace("suricata", "snort"),
        ("source.0.kind", "snort", "wazuh"),
    ),
    Mistake(
        "wrong type",
        "artemis run",
        f'vitals_interval_seconds = "often"\n{SOURCE}',
        ("vitals_interval", "often"),
    ),
    Mistake(
        "wrong in the environment",
        "artemis run",
        SOURCE,
        ("filter.min_severity", "urgent"),
        environment={"ARTEMIS_FILTER__MIN_SEVERITY": "urgent"},
    ),
    Mistake("not enrolled", "artemis run", SOURCE, ("not enrolled", "artemis enroll TOKEN")),
    Mistake("not enrolled, hermes", "hermes run", "", ("not enrolled", "hermes enroll TOKEN")),
    Mistake("not enrolled, tail", "hermes tail", "", ("not enrolled", "hermes enroll TOKEN")),
    Mistake("bad listen address", "zeus serve", 'listen = "8443"\n', ("listen", "host:port", "8443")),
    Mistake(
        "address that is not ours",
        "zeus serve",
        'listen = "192.0.2.1:8443"\n',
        ("192.0.2.1:8443", "Cannot assign", "`listen`"),
    ),
    Mistake("bad port of the wall", "hermes check", 'listen = "here"\n', ("listen",)),
    Mistake("no token", "artemis enroll", SOURCE, ("TOKEN",), USAGE),
    Mistake("something that is no token", "artemis enroll nonsense", SOURCE, ("not an enrolment token",)),
    Mistake("a token that was cut", "artemis enroll socme1.AAAA", SOURCE, ("cut", "whole line")),
    Mistake("unknown command", "artemis fly", SOURCE, ("fly",), USAGE),
    Mistake("unknown option", "zeus client list --all", "", ("--all",), USAGE),
    Mistake("unknown severity", "zeus alert list --severity urgent", "", ("urgent",), USAGE),
    Mistake("bad time", "zeus alert list --since yesterdayish", "", ("yesterdayish",), USAGE),
    Mistake("bad client name", "zeus client add Acme!", "", ("Acme!", "lower-case")),
    Mistake(
        "unknown client", "zeus token create --client nobody --node n1", "", ("nobody", "zeus client add")
    ),
    Mistake("unknown node", "zeus node revoke nobody/n1", "", ("nobody",)),
    Mistake("unknown alert", "zeus alert show 0123456789ab", "", ("0123456789ab",)),
    Mistake("bad alert id", "zeus alert show xyz", "", ("xyz",), USAGE),
    Mistake(
        "watching a hub that is down", "zeus watch", f'listen = "127.0.0.1:{free_port()}"\n', ("zeus serve",)
    ),
    Mistake("sifting a file that is not there", "artemis sift no-such.json", SOURCE, ("no-such.json",)),
    Mistake("sifting a folder", "artemis sift /", SOURCE, ("/",)),
    Mistake(
        "a state folder that is a file",
        "zeus client list",
        'state_dir = "settings.toml"\n',
        ("settings.toml",),
    ),
]


@pytest.mark.parametrize("mistake", SETTINGS_AND_USAGE, ids=lambda mistake: mistake.name)
def test_settings_and_usage(mistake: Mistake, tmp_path: Path) -> None:
    """Mistakes that one program alone can tell."""
    config = tmp_path / "settings.toml"
    if mistake.settings is not None:
        head = "" if "state_dir" in mistake.settings else 'state_dir = "state"\n'
        config.write_text(head + mistake.settings)
    program, *arguments = mistake.command.split()

    done = run(program, *arguments, "--config", str(config), limit=60.0, cwd=tmp_path, **mistake.environment)

    assert_told(done, mistake.words, mistake.code)


def assert_told(done: subprocess.CompletedProcess[str], words: tuple[str, ...], code: int = FAILED) -> None:
    """Check how a command ended: its exit code, one message with these words, and no traceback."""
    told = done.stdout + done.stderr
    assert done.returncode == code, told
    assert "Traceback" not in told
    for word in words:
        assert word in told, f"{word!r} is not in:\n{told}"


def altered(line: str, change: Callable[[EnrollmentToken], None]) -> str:
    """Return a token with something changed, well-formed again."""
    token = tokens.decode(line)
    change(token)
    return tokens.encode(token)


@pytest.fixture
def hub(stage: Stage) -> Hub:
    """Start a hub that knows a client."""
    made = stage.hub()
    made.add_client("acme")
    return made


@pytest.fixture
def new_node(tmp_path: Path) -> Node:
    """Return a node that is not enrolled yet."""
    return Node(tmp_path / "node", [Follow("suricata", tmp_path / "eve.json")])


def enrol(node: Node, token: str) -> subprocess.CompletedProcess[str]:
    """Try to enrol a node."""
    return run("artemis", "enroll", token, "--config", str(node.config))


class TestTokens:
    """What can be wrong with a token that looks like one."""

    def test_unknown(self, hub: Hub, new_node: Node) -> None:
        """A secret that this hub never gave."""

        def change(token: EnrollmentToken) -> None:
            token.secret = bytes(16)

        done = enrol(new_node, altered(hub.token("acme", "acme-1"), change))
        assert_told(done, ("token", "zeus token create"))

    def test_used(self, hub: Hub, new_node: Node, tmp_path: Path) -> None:
        """A token is good for one node."""
        token = hub.token("acme", "acme-1")
        new_node.enrol(token)
        other = Node(tmp_path / "other", [Follow("suricata", tmp_path / "eve.json")])
        assert_told(enrol(other, token), ("used", "zeus token create"))

    def test_expired(self, hub: Hub, new_node: Node) -> None:
        """The node sees it by itself."""

        def change(token: EnrollmentToken) -> None:
            token.expires.FromDatetime(datetime.now(UTC) - timedelta(minutes=1))

        done = enrol(new_node, altered(hub.token("acme", "acme-1"), change))
        assert_told(done, ("expired", "zeus token create"))

    def test_expired_at_the_hub(self, hub: Hub, new_node: Node) -> None:
        """The hub decides by its own clock, whatever the token claims."""
        line = hub.zeus("token", "create", "--client", "acme", "--node", "acme-1", "--valid", "1s").strip()
        deadline = tokens.decode(line).expires.ToDatetime(UTC)

        def change(token: EnrollmentToken) -> None:
            token.expires.FromDatetime(deadline + timedelta(hours=1))

        while datetime.now(UTC) <= deadline:
            enrol(new_node, "nonsense")  # takes its time
        assert_told(enrol(new_node, altered(line, change)), ("expired", "zeus token create"))

    def test_of_a_screen(self, hub: Hub, new_node: Node) -> None:
        """A screen's token is no node's."""
        assert_told(enrol(new_node, hub.display_token("lobby")), ("hermes",))

    def test_of_another_hub(self, stage: Stage, hub: Hub, new_node: Node) -> None:
        """The fingerprint in the token is of another CA: the node tells its secret to nobody."""
        other = stage.hub()

        def change(token: EnrollmentToken) -> None:
            token.enrollment_address = other.enroll_address

        done = enrol(new_node, altered(hub.token("acme", "acme-1"), change))
        assert_told(done, ("not the hub", other.enroll_address))

    def test_hub_down(self, hub: Hub, new_node: Node) -> None:
        """Nobody listens at the token's address."""
        token = hub.token("acme", "acme-1")
        hub.program.stop()
        assert_told(enrol(new_node, token), (hub.enroll_address, "zeus serve"))


class TestRunning:
    """What goes wrong when programs meet each other and the machine."""

    def test_port_taken(self, stage: Stage, tmp_path: Path) -> None:
        """The address is named, and what to do."""
        hub = stage.hub(start=False)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", int(hub.address.rpartition(":")[2])))
            taken.listen()
            done = run("zeus", "serve", "--config", str(hub.config))
        assert_told(done, (hub.address, "listen"))

    def test_enrolment_port_taken(self, stage: Stage) -> None:
        """The same for the other port."""
        hub = stage.hub(start=False)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", int(hub.enroll_address.rpartition(":")[2])))
            taken.listen()
            done = run("zeus", "serve", "--config", str(hub.config))
        assert_told(done, (hub.enroll_address, "enroll_listen"))

    def test_two_hubs_on_one_state(self, hub: Hub) -> None:
        """The second one says so, whatever its ports are."""
        settings = hub.config.read_text().replace(hub.address, f"127.0.0.1:{free_port()}")
        other = hub.config.with_name("other.toml")
        other.write_text(settings.replace(hub.enroll_address, f"127.0.0.1:{free_port()}"))
        assert_told(run("zeus", "serve", "--config", str(other)), ("state",))
        assert hub.program.running

    def test_two_agents_on_one_state(self, stage: Stage, hub: Hub, tmp_path: Path) -> None:
        """The second one is refused; the first goes on."""
        node = stage.node(hub, "acme", "acme-1", Follow("suricata", tmp_path / "eve.json"))
        assert_told(run("artemis", "run", "--config", str(node.config)), ("another", "state"))
        assert node.program.running

    def test_spool_of_an_older_version(self, stage: Stage, hub: Hub, tmp_path: Path) -> None:
        """The file is named, both versions, and what to do with what may be in it."""
        node = stage.node(hub, "acme", "acme-1", Follow("suricata", tmp_path / "eve.json"), start=False)
        spool = node.folder / "state" / "spool.db"
        with closing(sqlite3.connect(spool)) as db:
            db.executescript("CREATE TABLE entry (position); PRAGMA user_version = 1")
        done = run("artemis", "run", "--config", str(node.config))
        assert_told(done, (str(spool), "older version", "schema 1", "move the file away (keep it"))

    def test_wall_port_taken(self, stage: Stage, hub: Hub) -> None:
        """The address is named, and what to do."""
        screen = stage.screen(hub, "lobby", start=False)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", int(screen.address.rpartition(":")[2])))
            taken.listen()
            done = run("hermes", "run", "--config", str(screen.config))
        assert_told(done, (screen.address, "listen"))

    def test_hub_down_is_no_error_of_a_running_node(self, stage: Stage, hub: Hub, tmp_path: Path) -> None:
        """It waits, keeps what it reads, and `artemis status` and `artemis check` say how things are."""
        node = stage.node(hub, "acme", "acme-1", Follow("suricata", tmp_path / "eve.json"))
        hub.program.stop()
        done = run("artemis", "check", "--config", str(node.config))
        assert_told(done, ("FAIL", hub.address))
        assert node.program.running
        assert node.program.stop(limit=5) == DONE

    def test_missing_source_is_told_by_check(self, stage: Stage, hub: Hub, tmp_path: Path) -> None:
        """A file that is not there yet is waited for, but `artemis check` says so."""
        node = stage.node(hub, "acme", "acme-1", Follow("suricata", tmp_path / "not-yet" / "eve.json"))
        done = run("artemis", "check", "--config", str(node.config))
        assert_told(done, ("FAIL", str(tmp_path / "not-yet")))

    def test_unreadable_source_is_told(self, stage: Stage, hub: Hub, tmp_path: Path) -> None:
        """Check names the file and the group that may read it."""
        log = tmp_path / "alerts.json"
        log.write_text("{}\n")
        log.chmod(0)
        node = stage.node(hub, "acme", "acme-1", Follow("wazuh", log), start=False)
        done = subprocess.run(
            [
                *as_ordinary_user(),
                sys.executable,
                "-m",
                "artemis_agent",
                "check",
                "--config",
                str(node.config),
            ],
            capture_output=True,
            check=False,
            encoding="utf-8",
            env=environment(),
        )
        assert_told(done, ("FAIL", str(log), "ermission", "wazuh"))

    def test_unreadable_settings_are_told(self, tmp_path: Path) -> None:
        """The file is named."""
        config = tmp_path / "artemis.toml"
        config.write_text(SOURCE)
        config.chmod(0)
        done = subprocess.run(
            [*as_ordinary_user(), sys.executable, "-m", "artemis_agent", "check", "--config", str(config)],
            capture_output=True,
            check=False,
            encoding="utf-8",
            env=environment(),
        )
        assert_told(done, ("ermission", str(config)))
