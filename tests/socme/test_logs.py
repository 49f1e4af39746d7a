"""Log lines: one line an event, whatever is in it."""

import logging
import subprocess
import sys

import pytest

from socme import logs

LOG = logging.getLogger("test")


def lines(*statements: str, journald: bool = False, debug: bool = False) -> list[str]:
    """Return what a process of its own logs to standard error."""
    code = "\n".join(
        ["import logging", "from socme import logs", f"logs.set_up(debug={debug})",
         "log = logging.getLogger('test')", *statements]
    )  # fmt: skip
    environment = {"JOURNAL_STREAM": "8:1"} if journald else {}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_message_and_fields() -> None:
    (line,) = lines("logs.event(log, logging.INFO, 'connected', hub='zeus:8443', text='two words', empty='')")

    head, _, rest = line.partition(" ")
    assert head[:2] == "20"
    assert rest == "info    connected hub=zeus:8443 text='two words' empty=''"


def test_hostile_fields_stay_on_their_line() -> None:
    (line,) = lines(r"logs.event(log, logging.WARNING, 'bad', text='a\nb\x1b[2J' + 'x' * 1000)")

    assert "\x1b" not in line
    assert len(line) < logs.LONGEST_VALUE + 100


def test_priorities_for_journald() -> None:
    """Journald has times of its own."""
    found = lines("log.info('a')", "log.warning('b')", "log.error('c')", journald=True)

    assert found == ["<6>a", "<4>b", "<3>c"]


def test_debug_only_on_request() -> None:
    assert lines("log.debug('a')") == []
    assert len(lines("log.debug('a')", debug=True)) == 1


def test_a_failure_keeps_its_traceback() -> None:
    found = lines("try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('failed')")

    assert found[-1].startswith("ZeroDivisionError")


def test_fields_survive_other_handlers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logs.event(LOG, logging.INFO, "connected", hub="zeus")

    assert caplog.records[0].fields == {"hub": "zeus"}  # type: ignore[attr-defined]


def test_a_library_that_is_hushed_is_not_in_the_log_nor_on_standard_error() -> None:
    found = lines(
        "logs.hush('chatty')",
        "logs.hush('chatty')",
        "logging.getLogger('chatty').error('https://token@x')",
        "logging.getLogger('chatty.part').error('https://token@x')",
        "log.info('mine')",
        debug=True,
    )

    assert len(found) == 1
    assert found[0].endswith("mine")
