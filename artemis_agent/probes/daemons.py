"""Wazuh's own daemons, by their pid files: systemd calls the manager active when all of them are dead."""

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from artemis_agent.probes.outside import refusal

FOLDER = Path("var/run")  # below Wazuh's own; readable for the group wazuh
# Those that every manager runs. authd and the optional ones may be switched off: of them, only what died.
NEEDED = (
    "wazuh-analysisd",
    "wazuh-apid",
    "wazuh-db",
    "wazuh-execd",
    "wazuh-logcollector",
    "wazuh-modulesd",
    "wazuh-monitord",
    "wazuh-remoted",
    "wazuh-syscheckd",
)
_PID_FILE = re.compile(r"(wazuh-[a-z]{2,20})-([0-9]{1,10})\.pid", re.ASCII)


def parse(names: Iterable[str], is_alive: Callable[[int], bool]) -> list[str]:
    """Return the daemons that should run and do not, by the names of the files in the folder."""
    living: set[str] = set()
    dead: set[str] = set()
    for name in names:
        found = _PID_FILE.fullmatch(name)
        if found is not None:
            (living if is_alive(int(found[2])) else dead).add(found[1])
    return sorted((dead | set(NEEDED)) - living)


def ask(folder: Path) -> list[str] | None:
    """Return the daemons that should run and do not; None where no Wazuh of this kind lies in the folder."""
    try:
        return parse([file.name for file in (folder / FOLDER).iterdir()], is_alive)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refusal(error) from error


def is_alive(pid: int) -> bool:
    """Tell whether there is such a process; that needs no look at it, so that a hidden /proc is no matter."""
    if pid <= 0:
        return False
    with suppress(PermissionError):  # another user's
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True
