"""Fan-out: reads the rules, lets the router decide, and sends what it decides on its way.

    routes.d ─▶ rules ─▶ router ─▶ outbox  ─▶ a postman for each receiver
                      └▶ clerk  ─▶ reports ─▶ and another for the days and months of those that take them
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
from zeus_hub.database import reading, reason, writing
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
MENDED_SECONDS = 30.0  # between two attempts at what a person may have mended elsewhere
RETIRE_SECONDS = 100.0  # that a postman gets to finish with its letter
FORGET_SECONDS = 3600.0  # between two looks at what was told long ago

ROUTES = "routes"  # what the rules are called beside the receivers

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
    """The postmen of a receiver at work, and who asks what came of what they told."""

    described: rules.Receiver
    postmen: Sequence[Postman[Any]]
    """Of notices; and of reports, where it takes them: a report that is not taken holds up no alert."""
    inquirer: Inquirer | None
    telling: Sequence[asyncio.Task[None]]
    asking: Sequence[asyncio.Task[None]]

    @property
    def problem(self) -> str:
        """What is wrong; empty when all is well."""
        told = next((each.problem for each in self.postmen if each.problem), "")
        return told or (self.inquirer.problem if self.inquirer else "")

    @property
    def hopeless(self) -> bool:
        """Whether a person must mend it."""
        return any(postman.hopeless for postman in self.postmen)

    @property
    def stale(self) -> bool:
        """Whether to make it anew where the rules are read: what a person must mend may be mended by then."""
        return self.hopeless or (self.inquirer is not None and self.inquirer.hopeless)

    def wake(self) -> None:
        """Say that something is to be told."""
        for postman in self.postmen:
            postman.wake()


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
        self._engine = engine
        self._folder = folder
        self._clock = clock
        self._build = build or Build()
        self._nodes = nodes  # all of them, as they are now
        self._router = Router(engine)
        self._clerk = Clerk(engine)
        self._ready = asyncio.Event()  # there are rules
        self._offices: dict[str, _Office] = {}
        self._refusal = ""  # why the rules are refused
        self._standstill = ""  # why alerts are not routed
        self._strays: Mapping[str, str] = {}  # what waits for receivers that are in no rule

    @property
    def problem(self) -> str:
        """Why the rules are refused, or cannot be followed; empty when all is well."""
        return self._refusal or self._standstill

    def problems(self) -> Mapping[str, str]:
        """Return the same under "routes", and why receivers cannot be told or asked, by their names."""
        offices = {name: office.problem for name, office in self._offices.items()}
        return {ROUTES: self.problem, **self._strays, **offices}

    async def run(self) -> None:
        """Fan out for ever."""
        with (
            ThreadPoolExecutor(1, "router") as router,
            ThreadPoolExecutor(1, "letters") as letters,
            ThreadPoolExecutor(1, "rules") as reader,
            ThreadPoolExecutor(1, "clerk") as clerk,
        ):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._report(clerk), name="reports")
                group.create_task(self._watch(group, router, letters, reader), name="rules")
                group.create_task(self._route(router), name="router")
                group.create_task(self._forget(letters), name="forget")

    async def _watch(
        self, group: asyncio.TaskGroup, router: Executor, letters: Executor, reader: Executor
    ) -> None:
        """Read the rules when they have changed and settled, and again where a person may have mended it."""
        loop = asyncio.get_running_loop()
        read: Marks | None = None
        seen: Marks | None = None
        again = 0.0
        while True:
            before, seen = seen, await loop.run_in_executor(reader, _marks, self._folder)
            settled = seen == before or read is None
            if settled and (seen != read or (self._is_troubled() and loop.time() >= again)):
                read, again = seen, loop.time() + MENDED_SECONDS
                await self._heed(group, router, letters, reader)
            await asyncio.sleep(LOOK_SECONDS)

    def _is_troubled(self) -> bool:
        """Tell whether something is wrong that may be mended outside the folder: a secret, a certificate."""
        return bool(self._refusal) or any(office.hopeless for office in self._offices.values())

    async def _heed(
        self, group: asyncio.TaskGroup, router: Executor, letters: Executor, reader: Executor
    ) -> None:
        """Read the rules and go by them; where they are wrong, say so and go on as before."""
        loop = asyncio.get_running_loop()
        try:
            found, made = await loop.run_in_executor(reader, self._read)
        except OperatorError as error:
            self._refuse(str(error))
            return
        except Exception as error:  # whatever a file did to it, the rules before must go on
            LOG.exception("fault in reading the rules")
            self._refuse(f"a fault of SOCme's own: {type(error).__name__}")
            return
        self._refusal = ""
        await loop.run_in_executor(router, self._router.heed, found)
        self._clerk.heed(found)
        await self._staff(group, letters, found, made)
        self._strays = await loop.run_in_executor(reader, self._stray, found)
        self._ready.set()
        for warning in found.warnings:
            logs.event(LOG, logging.WARNING, "odd rules", reason=warning)
        logs.event(LOG, logging.INFO, "rules", routes=len(found.routes), receivers=len(found.receivers))

    def _refuse(self, why: str) -> None:
        if why != self._refusal:
            self._refusal = why
            logs.event(LOG, logging.ERROR, "the rules are refused", reason=why)

    def _read(self) -> tuple[Rules, Mapping[str, Made]]:
        """Return the rules, and the receivers that have to be made; some take a second."""
        if not any(self._folder.glob("*.toml")):  # there were some: a folder that is not there at the moment?
            raise OperatorError(
                f"{self._folder} has no rules any more; those before go on",
                "Put them back; to have none, leave an empty file there: none.toml.",
            )
        found = load(self._folder)
        _check_words(found)
        made: dict[str, Made] = {}
        for name, each in found.receivers.items():
            if self._is_new(each):
                made[name] = self._build(each)
        return found, made

    def _stray(self, found: Rules) -> Mapping[str, str]:
        """Return what waits for receivers that are in no rule any more."""
        try:
            with reading(self._engine) as connection:
                standings = [*outbox.standings(connection), *reports.standings(connection)]
        except SQLAlchemyError:  # the router says so
            return self._strays
        return {
            each.receiver: f"it is in no rule any more, and {each.waiting} notices wait for it"
            for each in standings
            if each.waiting and each.receiver not in found.receivers
        }

    def _is_new(self, described: rules.Receiver) -> bool:
        """Tell whether a receiver has to be made: it is another one, or its secrets may be."""
        office = self._offices.get(described.name)
        return office is None or not _are_alike(office.described, described) or office.stale

    async def _staff(
        self, group: asyncio.TaskGroup, letters: Executor, found: Rules, made: Mapping[str, Made]
    ) -> None:
        """Let postmen go whose receiver is gone or another one, and begin with the new ones."""
        gone = [name for name in self._offices if name not in found.receivers or name in made]
        await self._dismiss([self._offices.pop(name) for name in gone])
        for name, each in made.items():
            self._offices[name] = self._open(group, letters, found.receivers[name], each)
        for name, office in self._offices.items():
            for postman in office.postmen:
                postman.clients = found.clients_of(name)

    async def _dismiss(self, offices: Sequence[_Office]) -> None:
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

    def _open(
        self, group: asyncio.TaskGroup, letters: Executor, described: rules.Receiver, made: Made
    ) -> _Office:
        """Begin to tell a receiver, and to ask it."""
        name = described.name
        postmen = list(self._hire(described, made.receiver, letters))
        telling = [group.create_task(each.run(), name=f"postman {name}") for each in postmen]
        if made.poll is None:
            return _Office(described, postmen, None, telling, ())
        inquirer = Inquirer(name, made.poll, self._engine, letters, clock=self._clock)
        asking = [group.create_task(inquirer.run(), name=f"inquirer {name}")]
        return _Office(described, postmen, inquirer, telling, asking)

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
        while True:
            try:
                step = await loop.run_in_executor(router, self._router.step, self._clock())
            except SQLAlchemyError as error:
                self._stand_still(reason(error))
            except Exception as error:  # a fault of ours must not end the hub; it is told as that
                LOG.exception("fault in the router")
                self._stand_still(f"a fault of SOCme's own: {type(error).__name__}")
            else:
                self._standstill = ""
                for name in step.receivers & self._offices.keys():
                    self._offices[name].wake()
                if not step.more:
                    await asyncio.sleep(STEP_SECONDS)
                continue
            await asyncio.sleep(TROUBLE_SECONDS)

    def _stand_still(self, why: str) -> None:
        if why != self._standstill:
            self._standstill = why
            logs.event(LOG, logging.ERROR, "alerts are not routed", reason=why)

    async def _report(self, clerk: Executor) -> None:
        """Write, for ever, the reports that are due."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(QUIET_SECONDS)
        trouble = ""
        while True:
            told = frozenset[str]()
            try:
                nodes = [seen.node for seen in self._nodes()]
                told = await loop.run_in_executor(clerk, self._clerk.step, self._clock(), nodes)
            except SQLAlchemyError as error:
                trouble, before = reason(error), trouble
                if trouble != before:
                    logs.event(LOG, logging.ERROR, "reports are not written", reason=trouble)
            except Exception:
                LOG.exception("fault in writing reports")
            else:
                trouble = ""
            for name in told & self._offices.keys():
                self._offices[name].wake()
            await asyncio.sleep(REPORT_SECONDS)

    async def _forget(self, letters: Executor) -> None:
        """Forget, now and then, what was told long ago, and what came of it."""
        loop = asyncio.get_running_loop()

        def forget() -> int:
            with writing(self._engine) as connection:
                now = self._clock()
                forgotten = outbox.forget(connection, now) + reports.forget(connection, now)
                return forgotten + outcomes.forget(connection, now)

        while True:
            forgotten = 0
            with suppress(SQLAlchemyError):  # whoever needs the database says what is wrong with it
                forgotten = await loop.run_in_executor(letters, forget)
            await asyncio.sleep(STEP_SECONDS if forgotten else FORGET_SECONDS)


def _are_alike(one: rules.Receiver, other: rules.Receiver) -> bool:
    """Tell whether two tables make the same receiver: wherever they stand in a file of the same folder."""
    said = [(each.name, each.kind, each.options, each.place.file.parent) for each in (one, other)]
    return said[0] == said[1]


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
    with suppress(OSError):  # a folder that cannot be looked at: reading says why
        for path in sorted(folder.iterdir()):
            with suppress(OSError):  # gone since
                stat = path.stat()
                found[path.name] = (stat.st_mtime_ns, stat.st_size)
    return found
