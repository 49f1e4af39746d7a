"""How many rules Suricata has, and of when: by its settings and its rule files."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from artemis_agent.probes import outside
from artemis_agent.probes.outside import UnknownError
from socme.v1.vitals_pb2 import Vitals

CONFIG = Path("/etc/suricata/suricata.yaml")
USUAL = Path("/var/lib/suricata/rules/suricata.rules")  # where suricata-update puts what it made
MOST_FILES = 100
MOST_BYTES = 256 * 1024 * 1024  # of all rule files; ET Open has 40 MB
_PIECE = 1024 * 1024
_ACTIONS = (b"alert", b"pass", b"drop", b"reject", b"rejectsrc", b"rejectdst", b"rejectboth")
_RULE = re.compile(rb"^[ \t]*(?:" + b"|".join(_ACTIONS) + rb")[ \t]", re.MULTILINE)
_FOLDER = re.compile(r"""^default-rule-path:[ \t]*["']?([^"'#\n]+?)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_LIST = re.compile(r"^rule-files:[ \t]*(?:#.*)?\n((?:[ \t]*(?:-.*|#.*)?\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"""^[ \t]*-[ \t]+["']?([^"'#\n]+?)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)


def parse(settings: str) -> list[Path]:
    """Return the rule files that suricata.yaml names; a name may hold wildcards. None in it: none."""
    folder = _FOLDER.search(settings)
    listed = _LIST.search(settings + "\n")
    if listed is None:
        return []
    where = Path(folder[1]) if folder else USUAL.parent
    return [where / entry[1] for entry in _ENTRY.finditer(listed[1])][:MOST_FILES]


@dataclass(slots=True)
class RuleFiles:
    """Suricata's rule files; they are read again only when one of them changed."""

    config: Path = CONFIG
    _known: tuple[tuple[object, ...], ...] = ()
    _rules: int = 0

    def ask(self) -> Vitals:
        """Return the rules in the files and when they were last written; nothing where there are none."""
        settings = outside.read(self.config)
        files = list(_found(parse(settings) if settings is not None else [USUAL]))
        vitals = Vitals()
        if not files:
            return vitals
        try:
            stats = [(file, file.stat()) for file in files]
            state = tuple((file, stat.st_mtime_ns, stat.st_size, stat.st_ino) for file, stat in stats)
            if state != self._known:
                self._rules, self._known = count(files), state
        except OSError as error:
            raise outside.refusal(error) from error
        vitals.suricata.rules = self._rules
        vitals.suricata.rules_written.FromNanoseconds(max(stat.st_mtime_ns for _, stat in stats))
        return vitals


def count(files: Sequence[Path]) -> int:
    """Return how many rules files hold; a rule that is switched off is a comment and none."""
    rules = read = 0
    for path in files:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                piece += file.readline(_PIECE)  # to the end of the line
                rules += sum(1 for _ in _RULE.finditer(piece))
                read += len(piece)
                if read > MOST_BYTES:
                    raise UnknownError(f"more than {MOST_BYTES} bytes of rules")
    return rules


def _found(named: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that are there; a folder that may not be looked into is an error."""
    seen = 0
    for path in named:
        try:
            matches = [path] if not re.search(r"[*?\[]", path.name) else sorted(path.parent.glob(path.name))
            for match in matches:
                if match.stat().st_size >= 0 and (seen := seen + 1) <= MOST_FILES:
                    yield match
        except FileNotFoundError:
            continue
        except OSError as error:
            raise outside.refusal(error) from error
