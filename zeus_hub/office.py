"""A receiver at work: its postmen, and who asks it what people there made of what they were told."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from zeus_hub import files
from zeus_hub.inquirer import Inquirer
from zeus_hub.postman import SEND_SECONDS, Notices, Postman
from zeus_hub.receivers import kinds
from zeus_hub.receivers.contract import Receiver
from zeus_hub.receivers.mail import MAIL_SECONDS, Mail
from zeus_hub.receivers.rendering import Templates
from zeus_hub.receivers.thehive.poll import Poll
from zeus_hub.reporter import Reporter
from zeus_hub.routes import rules

# That a postman gets to finish with its letter. A mail that takes longer comes twice, perhaps: as long as one
# is waited for, no receiver begins that the rules have anew.
RETIRE_SECONDS = 100.0


@dataclass(frozen=True, slots=True)
class Made:
    """What is made of a receiver's table."""

    receiver: Receiver
    poll: Poll | None = None
    """What asks it; None where nobody could."""


@dataclass(frozen=True, slots=True)
class Office:
    """Who is at work for a receiver."""

    described: rules.Receiver
    made_of: files.Marks
    """The files that it names, as they were before it was made."""
    postmen: Sequence[Postman[Any]]
    """Of notices; and of reports, where it takes them: a report that is not taken holds up no alert."""
    inquirer: Inquirer | None
    telling: Sequence[asyncio.Task[None]]
    asking: Sequence[asyncio.Task[None]]

    def problems(self) -> Mapping[str, str]:
        """Return what is wrong with it, by its name, and with parts of it alone; empty when all is well."""
        name = self.described.name
        workers: list[Postman[Any] | Inquirer] = [*self.postmen, *([self.inquirer] if self.inquirer else [])]
        whole = next((worker.problem for worker in workers if worker.problem), "")
        parts = {f"{name} ({part})": why for worker in workers for part, why in worker.parts.items()}
        return {name: whole, **parts}

    @property
    def stale(self) -> bool:
        """Whether to make it anew where the rules are read: what a person must mend may be mended by then."""
        asked_in_vain = self.inquirer is not None and self.inquirer.hopeless
        return asked_in_vain or any(postman.stale for postman in self.postmen)

    def is_for(self, described: rules.Receiver, now: files.Marks) -> bool:
        """Tell whether it is still made of such a table, wherever that stands, and of such files."""
        said = [
            (each.name, each.kind, each.options, each.place.file.parent)
            for each in (self.described, described)
        ]
        return said[0] == said[1] and self.made_of == now

    def let(self, clients: frozenset[str] | None, *, besides: bool = False) -> None:
        """Let the receiver be told of these clients, None for all; or of these besides those of before."""
        for postman in self.postmen:
            before = postman.clients if besides else frozenset[str]()
            postman.clients = None if clients is None or before is None else before | clients

    def wake(self) -> None:
        """Say that something is to be told."""
        for postman in self.postmen:
            postman.wake()


@dataclass(frozen=True, slots=True)
class Opening:
    """What offices are opened with: whose tasks theirs are, and the thread in which they use the database."""

    group: asyncio.TaskGroup
    engine: Engine
    letters: Executor
    clock: Callable[[], datetime]

    def office(self, described: rules.Receiver, made: Made, marks: files.Marks) -> Office:
        """Begin to tell a receiver, and to ask it."""
        name = described.name
        postmen = list(self._hire(described, made.receiver))
        telling = [self.group.create_task(each.run(), name=f"postman {name}") for each in postmen]
        if made.poll is None:
            return Office(described, marks, postmen, None, telling, ())
        inquirer = Inquirer(name, made.poll, self.engine, self.letters, clock=self.clock)
        asking = [self.group.create_task(inquirer.run(), name=f"inquirer {name}")]
        return Office(described, marks, postmen, inquirer, telling, asking)

    def _hire(self, described: rules.Receiver, receiver: Receiver) -> Iterator[Postman[Any]]:
        """Yield the postmen of a receiver."""
        name = described.name
        seconds = MAIL_SECONDS if isinstance(receiver, Mail) else SEND_SECONDS
        yield Postman(name, Notices(receiver, seconds), self.engine, self.letters, clock=self.clock)
        if isinstance(receiver, Mail):
            reporter = Reporter(receiver, templates(described))
            yield Postman(name, reporter, self.engine, self.letters, clock=self.clock)


async def close(offices: Sequence[Office]) -> None:
    """Let what is under way be told and noted; whoever takes too long is told twice."""
    for office in offices:
        for postman in office.postmen:
            postman.retire()
        for task in office.asking:
            task.cancel()
    telling = [task for office in offices for task in office.telling]
    if telling:
        _, late = await asyncio.wait(telling, timeout=RETIRE_SECONDS)
        for task in late:
            task.cancel()


def templates(described: rules.Receiver) -> Callable[[ZoneInfo], Templates]:
    """Return what makes the templates of a receiver, with times of a zone."""
    return partial(kinds.templates, described.options, described.place.file.parent)
