"""How a program begins and ends: its command line, and the daemon that may come of it.

What reads command lines and settings takes a tenth to a fifth of a daemon's memory, and is needed once. So
the command that asks for the daemon runs in a process of its own (socme.apart), and hands on what the daemon
is to do. Nothing that is large is imported here.
"""

import sys
from collections.abc import Callable
from typing import NoReturn, TypeAlias, TypeVar

from socme.apart import apart
from socme.errors import OperatorError

FAILED = 1  # exit code
_INTERRUPTED = 130

Code: TypeAlias = int | str | None
"""As sys.exit takes it: a text is printed, and means 1."""
Order = TypeVar("Order")


def launch(
    program: str,
    command: str,
    read: Callable[[], tuple[Code, Order | None]],
    serve: Callable[[Order], None],
) -> NoReturn:
    """Run the command on the command line and exit.

    `read` runs it, and returns its exit code and what it hands on to be done; `command` is the one that
    hands something on, which `serve` does then.
    """

    def whole() -> None:
        code, order = apart(read) if sys.argv[1:2] == [command] else read()
        if order is None or code:
            sys.exit(code)
        serve(order)

    sys.exit(outcome(program, whole))


def outcome(program: str, work: Callable[[], object]) -> Code:
    """Do something; return the exit code, having told of what a person can mend."""
    try:
        work()
    except SystemExit as end:
        return end.code
    except OperatorError as error:
        print(f"{program}: {error}", file=sys.stderr)  # noqa: T201 - which may be closed
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0
