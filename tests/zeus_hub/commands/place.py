"""A hub's state folder, and its commands run on it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub import engines
from tests.zeus_hub.stored import database, keep
from zeus_hub.command_line import app


@dataclass(frozen=True, slots=True)
class Place:
    """A settings file and the state folder that it names."""

    folder: Path

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "zeus.toml"

    @property
    def state_dir(self) -> Path:
        """Where the hub's things are."""
        return self.folder / "state"

    def set_up(self, *lines: str) -> "Place":
        """Write the settings."""
        store = [] if "store.url" in "".join(lines) else [f'store.url = "{engines.url(self.state_dir)}"']
        self.config.write_text("\n".join(['state_dir = "state"', *store, *lines, ""]))
        return self

    def database(self, alerts: Iterable[StoredAlert] = ()) -> Engine:
        """Make the database, with the clients acme and beta and some alerts; the caller disposes of it."""
        engine = database(self.state_dir)
        keep(engine, alerts)
        return engine

    def try_(self, *arguments: str) -> Result:
        """Run a command however it ends; an OperatorError rises, as it does in the program."""
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)], catch_exceptions=False)

    def run(self, *arguments: str) -> str:
        """Run a command that must do its work; return what it printed for scripts."""
        result = self.try_(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command that must do its work; return the objects that it printed."""
        return [json.loads(line) for line in self.run(*arguments).split("\n") if line]
