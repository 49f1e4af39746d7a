"""The operating system: its version, of NixOS the flake's revision, the kernel, and a reboot that is due."""

import json
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from artemis_agent.probes import outside
from artemis_agent.probes.outside import Run, UnknownError
from artemis_agent.values import mapping, text
from socme.text import clean
from socme.v1.vitals_pb2 import Vitals

CURRENT, BOOTED = Path("run/current-system"), Path("run/booted-system")  # NixOS's
_PROFILE = Path("nix/var/nix/profiles/system")
_GENERATION = re.compile(r"system-([0-9]{1,9})-link", re.ASCII)
_BOOTS = ("kernel", "initrd", "kernel-modules")  # what only a reboot changes
_LONGEST = 100  # characters of a name, a version or a revision


@dataclass(frozen=True, slots=True)
class Revisions:
    """What a NixOS was built from; empty for what it does not say."""

    configuration: str = ""
    nixpkgs: str = ""
    version: str = ""


def parse_release(told: str) -> dict[str, str]:
    """Return the values of an os-release file; a line that is none is left out."""
    found: dict[str, str] = {}
    for line in told.splitlines():
        key, given, value = line.strip().partition("=")
        if not given or key.startswith("#"):
            continue
        try:
            found[key] = clean("".join(shlex.split(value)), _LONGEST)
        except ValueError:  # a quotation that does not end
            continue
    return found


def parse_revisions(told: str) -> Revisions:
    """Return what `nixos-version --json` says."""
    try:
        said = mapping(json.loads(told))
    except (ValueError, RecursionError) as error:
        raise UnknownError("nixos-version answers something else than JSON") from error
    return Revisions(
        *(
            clean(text(said.get(key)), _LONGEST)
            for key in ("configurationRevision", "nixpkgsRevision", "nixosVersion")
        )
    )


@dataclass(frozen=True, slots=True)
class System:
    """The system below a root; NixOS is asked again only when another one was switched to."""

    root: Path = Path("/")
    run: Run = outside.run
    _revisions: dict[str, Revisions] = field(default_factory=dict)

    def ask(self) -> Vitals:
        """Return what is known of it."""
        vitals = Vitals()
        found = vitals.system
        release = parse_release(outside.read(self.root / "etc/os-release") or "")
        found.name = release.get("NAME", "")
        found.version = release.get("VERSION_ID", "")
        found.kernel = clean(os.uname().release, _LONGEST)
        if os.path.lexists(self.root / CURRENT):
            self._add_nixos(vitals)
        elif (self.root / "run/reboot-required").exists():  # Debian's; without it nobody says
            found.reboot_pending = True
        return vitals

    def _add_nixos(self, vitals: Vitals) -> None:
        found = vitals.system
        label = outside.read(self.root / CURRENT / "nixos-version")
        found.version = clean((label or found.version).strip(), _LONGEST)
        found.generation = self._generation()
        pending = self._reboot_pending()
        if pending is not None:
            found.reboot_pending = pending
        try:
            revisions = self._ask_revisions()
        except UnknownError as error:
            vitals.unknown["system.configuration_revision"] = str(error)
            return
        found.configuration_revision, found.nixpkgs_revision = revisions.configuration, revisions.nixpkgs
        found.version = found.version or revisions.version
        if not revisions.configuration:
            vitals.unknown["system.configuration_revision"] = "the flake sets no system.configurationRevision"

    def _ask_revisions(self) -> Revisions:
        target = str((self.root / CURRENT).resolve())
        if target not in self._revisions:
            told = self.run([str(self.root / CURRENT / "sw/bin/nixos-version"), "--json"])
            if told is None:
                raise UnknownError("nixos-version is not installed")
            self._revisions.clear()
            self._revisions[target] = parse_revisions(told)
        return self._revisions[target]

    def _generation(self) -> int:
        """Return the number of the generation that runs; 0 where the newest one is another."""
        try:
            if (self.root / _PROFILE).resolve() != (self.root / CURRENT).resolve():
                return 0
            number = _GENERATION.fullmatch((self.root / _PROFILE).readlink().name)
        except OSError:
            return 0
        return int(number[1]) if number else 0

    def _reboot_pending(self) -> bool | None:
        if not os.path.lexists(self.root / BOOTED):  # a container boots no kernel
            return None
        current, booted = self.root / CURRENT, self.root / BOOTED
        return any((current / part).resolve() != (booted / part).resolve() for part in _BOOTS)
