#!/usr/bin/env python3
"""Fuzz what strangers' bytes are put into, guided by coverage, until something breaks or you stop it.

atheris has wheels for Linux and CPython 3.11 to 3.13 only, so it is in no lock file. Give it an environment
of its own:

    python3.11 -m venv fuzz-venv
    fuzz-venv/bin/pip install -r requirements-runtime.lock
    fuzz-venv/bin/pip install atheris hypothesis pytest
    fuzz-venv/bin/python scripts/fuzz.py wazuh -max_total_time=600

The first argument is a target of tests/faults/fuzzing.py; the rest goes to libFuzzer. What broke it is left
in a file crash-*; give that file as an argument to see it again.
"""

import logging
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import atheris

with atheris.instrument_imports(include=["artemis_agent", "socme", "zeus_hub"]):
    from tests.faults import fuzzing


def main() -> None:
    """Fuzz one target, beginning with good input where it has some."""
    if len(sys.argv) < 2 or sys.argv[1] not in fuzzing.TARGETS:  # noqa: PLR2004 - its own name, and the target
        sys.exit(f"which? {' '.join(fuzzing.TARGETS)}")
    name = sys.argv.pop(1)
    logging.disable()  # a hub says each time what it refuses
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(fuzzing.SEEDS.get(name, ())):
            Path(corpus, str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, corpus], fuzzing.TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
