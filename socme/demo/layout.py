"""Where everything of the demo lies, and the settings files in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCREEN = "wall"


@dataclass(frozen=True, slots=True)
class Site:
    """A client of the demo, with one node."""

    client: str
    node: str
    names: Sequence[tuple[bytes, bytes]]
    """What the recordings call its addresses and names, and what they are here."""
    seed: int
    """Decides in which order its alerts come; chosen so that a critical one is among the first."""


# The recordings are of acme; the second site is the same one with other addresses (RFC 2544).
SITES = (
    Site("acme", "acme-1", (), 28),
    Site(
        "globex",
        "globex-1",
        (
            (b"192.0.2.", b"198.18.7."),
            (b"2001:0db8:0010:", b"2001:0db8:0020:"),
            (b"2001:0DB8:0010:", b"2001:0DB8:0020:"),
            (b"acme", b"globex"),
            (b"ACME", b"GLOBEX"),
        ),
        6,
    ),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The demo's folder and ports."""

    folder: Path
    hub_port: int
    enroll_port: int
    wall_port: int

    @property
    def zeus(self) -> Path:
        """The hub's settings file."""
        return self.folder / "zeus" / "zeus.toml"

    @property
    def hermes(self) -> Path:
        """The screen's settings file."""
        return self.folder / "hermes" / "hermes.toml"

    @property
    def wall(self) -> str:
        """The wall's address in a browser."""
        return f"http://127.0.0.1:{self.wall_port}"

    def artemis(self, site: Site) -> Path:
        """Return a node's settings file."""
        return self.folder / site.node / "artemis.toml"

    def eve(self, site: Site) -> Path:
        """Return the file that a site's Suricata writes."""
        return self.folder / site.node / "suricata" / "eve.json"

    def wazuh(self, site: Site) -> Path:
        """Return the file that a site's Wazuh writes."""
        return self.folder / site.node / "wazuh" / "alerts.json"

    def log(self, name: str) -> Path:
        """Return where a program's standard error goes."""
        return self.folder / f"{name}.log"


def settings(layout: Layout) -> dict[Path, str]:
    """Return all settings files and what stands in them."""
    files = {
        layout.zeus: f"""\
state_dir = "state"
listen = "127.0.0.1:{layout.hub_port}"
enroll_listen = "127.0.0.1:{layout.enroll_port}"
""",
        layout.hermes: f"""\
state_dir = "state"
listen = "127.0.0.1:{layout.wall_port}"
""",
    }
    for site in SITES:
        files[layout.artemis(site)] = """\
state_dir = "state"
vitals_interval_seconds = 2

[[source]]
kind = "suricata"
path = "suricata/eve.json"
start = "beginning"

[[source]]
kind = "wazuh"
path = "wazuh/alerts.json"
start = "beginning"
"""
    return files
