"""The operating system: Debian 12, and a NixOS built of links as it has them."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import system
from artemis_agent.probes.outside import UnknownError
from artemis_agent.probes.system import Revisions, System, parse_release, parse_revisions

DEBIAN = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
"""
NIXOS = 'BUILD_ID="26.05.20261101.abcdef1"\nID=nixos\nNAME=NixOS\nVERSION_ID="26.05"\n'
SAID = {
    "nixosVersion": "26.05.20261101.abcdef1",
    "nixpkgsRevision": "abcdef1" + "0" * 33,
    "configurationRevision": "1234567" + "f" * 33,
}


class Machine:
    """A root folder with a NixOS, and how often it was asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: dict[str, str] = dict(SAID)
        self.asked = 0
        for folder in ("etc", "run", "nix/var/nix/profiles"):
            (root / folder).mkdir(parents=True)
        (root / "etc/os-release").write_text(NIXOS)
        self.build(41)
        self.switch(41)
        self.point("run/booted-system", 41)

    def build(self, number: int, kernel: str = "linux-6.12.1") -> None:
        """Make a generation."""
        store = self.root / f"nix/store/system-{number}"
        store.mkdir(parents=True)
        (store / "nixos-version").write_text(SAID["nixosVersion"])
        for part in ("kernel", "initrd", "kernel-modules"):
            (store / part).symlink_to(self.root / "nix/store" / kernel / part)
        (self.root / f"nix/var/nix/profiles/system-{number}-link").symlink_to(store)

    def switch(self, number: int) -> None:
        """Switch to a generation."""
        self.point("run/current-system", number)
        profile = self.root / "nix/var/nix/profiles/system"
        profile.unlink(missing_ok=True)
        profile.symlink_to(f"system-{number}-link")

    def point(self, link: str, number: int) -> None:
        """Let a link name a generation."""
        (self.root / link).unlink(missing_ok=True)
        (self.root / link).symlink_to(self.root / f"nix/store/system-{number}")

    def run(self, command: Sequence[str]) -> str | None:
        """Be nixos-version."""
        assert command == [str(self.root / "run/current-system/sw/bin/nixos-version"), "--json"]
        self.asked += 1
        return json.dumps(self.said)


@pytest.fixture
def nixos(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_debian(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(DEBIAN)

    found = System(tmp_path).ask()

    assert (found.system.name, found.system.version) == ("Debian GNU/Linux", "12")
    assert found.system.kernel == os.uname().release
    assert not found.system.HasField("reboot_pending"), "without the file nobody says that none is due"
    assert not found.unknown
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").touch()
    assert System(tmp_path).ask().system.reboot_pending


def test_this_machine() -> None:
    assert System().ask().system.kernel


def test_nixos(nixos: Machine) -> None:
    found = System(nixos.root, nixos.run).ask()

    assert (found.system.name, found.system.version) == ("NixOS", SAID["nixosVersion"])
    assert found.system.configuration_revision == SAID["configurationRevision"]
    assert found.system.nixpkgs_revision == SAID["nixpkgsRevision"]
    assert found.system.generation == 41
    assert found.system.HasField("reboot_pending")
    assert not found.system.reboot_pending
    assert not found.unknown


def test_nixos_is_asked_again_when_it_was_switched(nixos: Machine) -> None:
    """And says so when only a reboot brings the new kernel."""
    probe = System(nixos.root, nixos.run)
    probe.ask()
    probe.ask()
    assert nixos.asked == 1
    nixos.build(42, "linux-6.12.2")
    nixos.switch(42)
    nixos.said["configurationRevision"] = "new"

    found = probe.ask()

    assert nixos.asked == 2
    assert len(probe._revisions) == 1
    assert (found.system.configuration_revision, found.system.generation) == ("new", 42)
    assert found.system.reboot_pending


def test_a_generation_that_only_the_next_boot_takes_is_not_the_one_that_runs(nixos: Machine) -> None:
    nixos.build(42)
    nixos.switch(42)
    nixos.point("run/current-system", 41)

    assert System(nixos.root, nixos.run).ask().system.generation == 0


def test_a_flake_that_does_not_say_its_revision(nixos: Machine) -> None:
    del nixos.said["configurationRevision"]

    found = System(nixos.root, nixos.run).ask()

    assert found.system.nixpkgs_revision == SAID["nixpkgsRevision"]
    assert "system.configurationRevision" in found.unknown["system.configuration_revision"]


def test_nixos_without_its_tools(nixos: Machine) -> None:
    found = System(nixos.root, lambda _: None).ask()

    assert found.system.version == SAID["nixosVersion"], "it lies in a file, too"
    assert found.unknown["system.configuration_revision"] == "nixos-version is not installed"


def test_a_failure_is_asked_again(nixos: Machine) -> None:
    def hang(_command: Sequence[str]) -> str:
        raise UnknownError("nixos-version gave no answer in time")

    broken = System(nixos.root, hang)
    assert "in time" in broken.ask().unknown["system.configuration_revision"]
    assert System(nixos.root, nixos.run, broken._revisions).ask().system.configuration_revision


def test_nixos_in_a_container_boots_no_kernel(nixos: Machine) -> None:
    (nixos.root / "run/booted-system").unlink()

    assert not System(nixos.root, nixos.run).ask().system.HasField("reboot_pending")


def test_an_odd_release_file() -> None:
    told = "# NAME=no\nNAME='a b'\nODD\nVERSION_ID=\"un\nX=\x1b[2J\nLONG=" + "y" * 1000

    found = parse_release(told)

    assert found["NAME"] == "a b"
    assert "VERSION_ID" not in found
    assert len(found["LONG"]) == system._LONGEST
    assert "\x1b" not in found["X"]


@given(st.text())
def test_any_text(told: str) -> None:
    assert all(len(value) <= system._LONGEST for value in parse_release(told).values())
    try:
        found = parse_revisions(told)
    except UnknownError:
        return
    assert found == Revisions()  # JSON, but nothing of NixOS


@pytest.mark.parametrize("said", ["{}", "[]", "null", '{"configurationRevision":null,"nixosVersion":7.5}'])
def test_nothing_is_said(said: str) -> None:
    assert parse_revisions(said) == Revisions()


def test_a_dirty_flake() -> None:
    assert parse_revisions('{"configurationRevision":"12ab-dirty"}').configuration == "12ab-dirty"
