"""What commands find in a hub's state folder, whether the hub runs or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from socme import commands
from socme.errors import OperatorError
from zeus_hub import config as configs
from zeus_hub import database
from zeus_hub.database import NoDatabaseError, explained, open_database
from zeus_hub.plan import Plan


def read_plan(config: Path) -> Plan:
    """Read a settings file; return what it comes to."""
    return configs.plan(config)


@contextmanager
def usable(settings: Plan) -> Iterator[None]:
    """Tell what to do where the state folder cannot be read or written."""
    try:
        yield
    except OSError as error:
        raise OperatorError(
            f"cannot use the state folder {settings.state_dir}: {error.strerror or error}",
            "Run this as the user that Zeus runs as, as in: sudo -u zeus zeus …",
        ) from error


@contextmanager
def opened(settings: Plan, *, create: bool = False, wanted: str = "") -> Iterator[Engine]:
    """Open the hub's database; without `create`, refuse where there is none yet.

    A question to a hub that there is not is a wrong --config more often than not. `wanted` is what was
    asked for, as in "node acme/acme-1".
    """
    with usable(settings):
        if create:
            refuse_for_another(settings)
        try:
            engine = open_database(settings.database, settings.state_dir, create=create)
        except NoDatabaseError as error:
            if not wanted:
                raise
            raise NoDatabaseError(f"{error.args[0]}, and no {wanted}", error.mend) from error
    try:
        with explained(engine):
            yield engine
    finally:
        engine.dispose()


def refuse_for_another(settings: Plan) -> None:
    """Raise OperatorError where root would leave files behind that the hub's own user cannot read."""
    commands.refuse_for_another(settings.state_dir, program="zeus")


def database_file(settings: Plan) -> Path | None:
    """Return where the database lies; None where it is a server's."""
    return database.database_file(settings.database, settings.state_dir)
