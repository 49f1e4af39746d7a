"""Fan-out: reads the rules, lets the router decide, and sends what it decides on its way.

    routes.d ─▶ rules ─▶ router ─▶ outbox  ─▶ a postman for each receiver
                      └▶ clerk  ─▶ reports ─▶ and another for each that takes days and months
                                  outcomes ◀─ an inquirer for each that can be asked

Rules are read again when a file of the folder changes, and taken as a whole or not at all: while they are
wrong, those before go on. At the start there are none before; then nothing is decided, and what comes
meanwhile waits in the store.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.errors import OperatorError
from zeus_hub import outbox, outcomes, reports
from zeus_hub.clerk import Clerk
from zeus_hub.database import writing
from zeus_hub.digest import Digests
from zeus_hub.fleet import Seen
from zeus_hub.inquirer import Inquirer
from zeus_hub.postman import Notices, Postman
from zeus_hub.receivers import kinds
from zeus_hub.receivers.contract import Receiver
from zeus_hub.receivers.mail import Mail
from zeus_hub.receivers.rendering import Templates
from zeus_hub.receivers.thehive.poll import Poll
from zeus_hub.reporter import Reporter
from zeus_hub.router import Router
from zeus_hub.routes import rules
from zeus_hub.routes.reading import load
from zeus_hub.routes.rules import Rules

LOG = logging.getLogger("zeus.fanout")

STEP_SECONDS = 0.5  # between two steps of the router where nothing comes
LOOK_SECONDS = 2.0  # between two looks at the folder
TROUBLE_SECONDS = 5.0  # between two attempts while the database cannot be used
REPORT_SECONDS = 30.0  # between two looks at whether a day or a month is to be told
# After the start, until nodes had the time to say how they are, and what waited for the hub is stored.
QUIET_SECONDS = 120.0
FORGET_SECONDS = 3600.0  # between two looks at what was told long ago

Marks = Mapping[str, tuple[int, int]]
"""Of each file of the folder, when it was written and how long it is."""


@dataclass(frozen=True, slots=True)
class Made:
    """What is made of a receiver's table."""

    receiver: Receiver
    poll: Poll | None = None
    """What asks it; None where nobody could."""


class Build:
    """Makes receivers; a test makes others."""

    def __call__(self, described: rules.Receiver) -> Made:
        """Return a receiver; raise OperatorError with the place where it is described."""
        options, beside = {"kind": described.kind, **described.options}, described.place.file.parent
        try:
            return Made(kinds.build(described.name, options, beside), kinds.poll(options, beside))
        except OperatorError as error:
            said = f"{described.place}: receiver.{described.name}: {error.args[0]}"
            raise OperatorError(said, error.mend) from error


@dataclass(frozen=True, slots=True)
class _Office:
    """Postmen at work, and who asks what came of it."""

    described: rules.Receiver
    postmen: Sequence[Postman[Any]]
    """Of notices; and of reports, where it takes them: a report that is not taken holds up no alert."""
    inquirer: Inquirer | None
    tasks: Sequence[asyncio.Task[None]]

    @property
    def problem(self) -> str:
        """What a person must mend, perhaps; empty when all is well."""
        problems = [each.problem for each in self.postmen]
        if self.inquirer is not None:
            problems.append(self.inquirer.problem)
        return next(filter(None, problems), "")


class FanOut:
    """Lives on the event loop."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        clock: Callable[[], datetime],
        build: Callable[[rules.Receiver], Made] | None = None,
        nodes: Callable[[], Iterable[Seen]] = tuple,
    ) -> None:
        self.problem = ""
        """Why the rules are refused, or cannot be followed; empty when all is well."""
        self._engine = engine
        self._folder = folder
        self._clock = clock
        self._build = build or Build()
        self._nodes = nodes  # all of them, as they are now
        self._router = Router(engine)
        self._clerk = Clerk(engine)
        self._ready = asyncio.Event()  # there are rules, or there is no need of any
        self._offices: dict[str, _Office] = {}
        self._marks: Marks | None = None

    @property
    def postmen(self) -> Mapping[str, Postman[Any]]:
        """The ways to the receivers, by what people call them."""
        return {
            f"{name}{what}": postman
            for name, office in self._offices.items()
            for what, postman in zip(("", " (reports)"), office.postmen, strict=False)
        }

    async def run(self) -> None:
        """Fan out for ever."""
        with (
            ThreadPoolExecutor(1, "router") as router,
            ThreadPoolExecutor(1, "letters") as letters,
            ThreadPoolExecutor(1, "clerk") as clerk,
        ):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._report(clerk), name="reports")
                group.create_task(self._watch(group, router, letters), name="rules")
                group.create_task(self._route(router), name="router")
                group.create_task(self._forget(letters), name="forget")

    async def _watch(self, group: asyncio.TaskGroup, router: Executor, letters: Executor) -> None:
        """Read the rules whenever they change."""
        loop = asyncio.get_running_loop()
        while True:
            marks = await loop.run_in_executor(letters, _marks, self._folder)
            if marks != self._marks:
                self._marks = marks
                await self._heed(group, router, letters)
            await asyncio.sleep(LOOK_SECONDS)

    async def _heed(self, group: asyncio.TaskGroup, router: Executor, letters: Executor) -> None:
        """Read the rules and go by them; where they are wrong, say so and go on as before."""
        loop = asyncio.get_running_loop()
        try:
            found, made = await loop.run_in_executor(letters, self._read)
        except OperatorError as error:
            self.problem = str(error)
            logs.event(LOG, logging.ERROR, "the rules are refused", reason=self.problem)
            return
        self.problem = ""
        await loop.run_in_executor(router, self._router.heed, found)
        self._clerk.heed(found)
        await self._staff(group, letters, found, made)
        self._ready.set()
        for warning in found.warnings:
            logs.event(LOG, logging.WARNING, "odd rules", reason=warning)
        logs.event(LOG, logging.INFO, "rules", routes=len(found.routes), receivers=len(found.receivers))

    def _read(self) -> tuple[Rules, Mapping[str, Made]]:
        """Return the rules, and the receivers that have to be made; some take a second."""
        found = load(self._folder)
        made = {name: self._build(each) for name, each in found.receivers.items() if self._is_new(each)}
        _check_words(found)
        return found, made

    def _is_new(self, described: rules.Receiver) -> bool:
        """Tell whether a receiver has to be made: it is another one, or its secrets may be."""
        office = self._offices.get(described.name)
        return office is None or office.described != described or bool(office.problem)

    async def _staff(
        self, group: asyncio.TaskGroup, letters: Executor, found: Rules, made: Mapping[str, Made]
    ) -> None:
        """Let postmen go whose receiver is gone or another one, and begin with the new ones."""
        gone = [name for name in self._offices if name not in found.receivers or name in made]
        tasks = [task for name in gone for task in self._offices.pop(name).tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for name, each in made.items():
            self._offices[name] = self._open(group, letters, found.receivers[name], each)

    def _open(
        self, group: asyncio.TaskGroup, letters: Executor, described: rules.Receiver, made: Made
    ) -> _Office:
        """Begin to tell a receiver, and to ask it."""
        name = described.name
        postmen = list(self._hire(described, made.receiver, letters))
        tasks = [group.create_task(each.run(), name=f"postman {name}") for each in postmen]
        if made.poll is None:
            return _Office(described, postmen, None, tasks)
        inquirer = Inquirer(name, made.poll, self._engine, letters, clock=self._clock)
        tasks.append(group.create_task(inquirer.run(), name=f"inquirer {name}"))
        return _Office(described, postmen, inquirer, tasks)

    def _hire(
        self, described: rules.Receiver, receiver: Receiver, letters: Executor
    ) -> Iterator[Postman[Any]]:
        """Yield the postmen of a receiver."""
        name = described.name
        yield Postman(name, Notices(receiver), self._engine, letters, clock=self._clock)
        if isinstance(receiver, Mail):
            reporter = Reporter(receiver, _templates(described))
            yield Postman(name, reporter, self._engine, letters, clock=self._clock)

    async def _route(self, router: Executor) -> None:
        """Take steps."""
        loop = asyncio.get_running_loop()
        await self._ready.wait()
        trouble = ""
        while True:
            try:
                step = await loop.run_in_executor(router, self._router.step, self._clock())
            except SQLAlchemyError as error:
                reason = str(error.__cause__ or error)
                if reason != trouble:
                    trouble = reason
                    logs.event(LOG, logging.ERROR, "alerts are not routed", reason=reason)
                await asyncio.sleep(TROUBLE_SECONDS)
                continue
            trouble = ""
            for name in step.receivers & self._offices.keys():
                self._offices[name].postmen[0].wake()
            if not step.more:
                await asyncio.sleep(STEP_SECONDS)

    async def _report(self, clerk: Executor) -> None:
        """Write, for ever, the reports that are due."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(QUIET_SECONDS)
        trouble = ""
        while True:
            try:
                nodes = [seen.node for seen in self._nodes()]
                told = await loop.run_in_executor(clerk, self._clerk.step, self._clock(), nodes)
            except SQLAlchemyError as error:
                told, reason = frozenset[str](), str(error.__cause__ or error)
                if reason != trouble:
                    logs.event(LOG, logging.ERROR, "reports are not written", reason=reason)
                trouble = reason
            else:
                trouble = ""
            for name in told & self._offices.keys():
                for postman in self._offices[name].postmen:
                    postman.wake()
            await asyncio.sleep(REPORT_SECONDS)

    async def _forget(self, letters: Executor) -> None:
        """Forget, now and then, what was told long ago, and what came of it."""
        loop = asyncio.get_running_loop()

        def forget() -> int:
            with writing(self._engine) as connection:
                now = self._clock()
                told = outbox.forget(connection, now) + reports.forget(connection, now)
                return told + outcomes.forget(connection, now)

        while True:
            forgotten = 0
            with suppress(SQLAlchemyError):  # whoever needs the database says what is wrong with it
                forgotten = await loop.run_in_executor(letters, forget)
            await asyncio.sleep(STEP_SECONDS if forgotten else FORGET_SECONDS)


def _templates(described: rules.Receiver) -> Callable[[ZoneInfo], Templates]:
    return partial(kinds.templates, described.options, described.place.file.parent)


def _check_words(found: Rules) -> None:
    """Raise OperatorError, with the place of the report, where its words cannot be made."""
    known: set[tuple[object, ...]] = set()  # each takes an eighth of a second
    for report in found.reports:
        for name in report.receivers:
            options = found.receivers[name].options
            words = (options.get("language"), str(options.get("templates")), report.zone.key)
            if words in known:
                continue
            known.add(words)
            try:
                Digests(_templates(found.receivers[name])(report.zone))
            except OperatorError as error:
                said = f"{report.place}: report {report.name}: {error.args[0]}"
                raise OperatorError(said, error.mend) from error


def _marks(folder: Path) -> Marks:
    """Return what changes where a file of a folder does."""
    found = {}
    for path in folder.glob("*"):
        with suppress(OSError):  # gone since, or not to be looked at: reading says why
            stat = path.stat()
            found[path.name] = (stat.st_mtime_ns, stat.st_size)
    return found
