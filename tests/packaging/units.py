"""Read systemd units, for the tests beside this file."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.lacking import lacking

PROGRAMS = ("artemis", "zeus", "hermes")

Unit = dict[str, list[str]]
"""What stands in a unit: "Section.Key" to its values, in order; an empty value is kept, as it is a reset."""


def shipped(program: str) -> Path:
    """Return a program's unit file."""
    return REPOSITORY / "systemd" / f"{program}.service"


def parse(text: str) -> Unit:
    """Read a unit; list values that stand on one line are kept as written."""
    unit: defaultdict[str, list[str]] = defaultdict(list)
    section = ""
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            unit[f"{section}.{key}"].append(value)
    return dict(unit)


def words(unit: Unit, key: str) -> list[str]:
    """Return every word that a list setting has, over all its lines."""
    return [word for value in unit.get(key, []) for word in value.split()]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which needs no running systemd for what is asked of it here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        lacking("systemd-analyze is not on this machine")
    return subprocess.run([program, "--no-pager", *arguments], capture_output=True, text=True, check=False)


def exposure_is_at_most(limit: float, unit: Path) -> bool:
    """Ask systemd how exposed a service is (0 to 10) and compare."""
    done = analyze("security", "--offline=true", f"--threshold={round(limit * 10)}", str(unit))
    assert "Overall exposure level" in done.stdout, done.stderr
    return done.returncode == 0


def complaints(text: str, folder: Path, name: str) -> str:
    """Return what systemd finds wrong with a service; what it starts need not be installed."""
    copy = folder / f"{name}.service"
    copy.write_text(re.sub(r"^(Exec\w+)=(?:.*\\\n)*.*$", r"\1=/bin/true", text, flags=re.MULTILINE))
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(copy))
    return done.stdout + done.stderr
