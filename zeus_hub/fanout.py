"""Fan-out: reads the rules, lets the router decide, and sends what it decides on its way.

    routes.d ─▶ rules ─▶ router ─▶ outbox  ─▶ a postman for each receiver
                      └▶ clerk  ─▶ reports ─▶ and another for the days and months of those that take them
                               outcomes ◀─ an inquirer for each that can be asked

Rules are read again when a file of the folder changes, or one that a receiver names, and taken as a whole or
not at all: while they are wrong, those before go on. At the start there are none before; then nothing is
decided, and what comes meanwhile waits in the store. Whatever fails here is told and tried again: neither
the hub nor the rest of fan-out ends with it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.errors import OperatorError
from zeus_hub import files, fitness, office, outbox, outcomes, registry, reports
from zeus_hub.clerk import Clerk
from zeus_hub.database import reading, reason, writing
from zeus_hub.fleet import Seen
from zeus_hub.office import Made, Office, Opening
from zeus_hub.plan import RULE_FILES
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
MENDED_SECONDS = (
    30.0  # between two attempts at rules that are wrong: the mend may be in no file that is known
)
FORGET_SECONDS = 3600.0  # between two looks at what was told long ago

ROUTES = "routes"  # what the rules are called beside the receivers

_New = tuple[Made, files.Marks]
"""What was made, and of which files."""


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
        self._build = build or fitness.build
        self._nodes = nodes  # all of them, as they are now
        self._router = Router(engine)
        self._clerk = Clerk(engine)
        self._ready = asyncio.Event()  # there are rules
        self._offices: dict[str, Office] = {}
        self._refusal = ""  # why the rules are refused
        self._standstill = ""  # why alerts are not routed
        self._strays: Mapping[str, int] = {}  # how much waits for receivers that are in no rule

    @property
    def problem(self) -> str:
        """Why the rules are refused, or cannot be followed; empty when all is well."""
        return self._refusal or self._standstill

    def problems(self) -> Mapping[str, str]:
        """Return the same under "routes", and why receivers cannot be told or asked, by their names.

        Where it is a part of a receiver alone, that is by itself, behind the receiver's name.
        """
        found = {ROUTES: self.problem}
        for each in self._offices.values():
            found |= each.problems()
        return found

    async def run(self) -> None:
        """Fan out for ever."""
        with (
            ThreadPoolExecutor(1, "router") as router,
            ThreadPoolExecutor(1, "letters") as letters,
            ThreadPoolExecutor(1, "rules") as reader,
            ThreadPoolExecutor(1, "clerk") as clerk,
        ):
            async with asyncio.TaskGroup() as group:
                opening = Opening(group, self._engine, letters, self._clock)
                group.create_task(self._report(clerk), name="reports")
                group.create_task(self._watch(opening, router, reader), name="rules")
                group.create_task(self._route(router), name="router")
                group.create_task(self._forget(letters), name="forget")

    async def _watch(self, opening: Opening, router: Executor, reader: Executor) -> None:
        """Read the rules when a file has changed and settled, and wrong ones now and then."""
        loop = asyncio.get_running_loop()
        read: files.Marks | None = None
        seen: files.Marks | None = None
        again = 0.0
        while True:
            before, seen = seen, await loop.run_in_executor(reader, self._look, list(self._made_of()))
            settled = seen == before or read is None
            if settled and (_differ(seen, read) or (self._refusal and loop.time() >= again)):
                await self._heed(opening, router, reader)
                # As they were before they were read: what changed meanwhile is read once more.
                made = self._made_of()
                kept = {path: seen[path] for path in seen if path in made or path.parent == self._folder}
                read, again = {**made, **kept}, loop.time() + MENDED_SECONDS
            await asyncio.sleep(LOOK_SECONDS)

    def _made_of(self) -> files.Marks:
        """Return the files that receivers are made of, as they were then."""
        return {path: mark for each in self._offices.values() for path, mark in each.made_of.items()}

    def _look(self, named: Iterable[Path]) -> files.Marks:
        return files.marks([*files.inside(self._folder), *named])

    async def _heed(self, opening: Opening, router: Executor, reader: Executor) -> None:
        """Read the rules and go by them; where they are wrong, say so and go on as before."""
        try:
            await self._follow(opening, router, reader)
        except OperatorError as error:
            self._refuse(str(error))
        except Exception as error:  # whatever a file did to it, the rules before must go on
            LOG.exception("fault in reading the rules")
            self._refuse(f"a fault of SOCme's own: {type(error).__name__}")

    async def _follow(self, opening: Opening, router: Executor, reader: Executor) -> None:
        loop = asyncio.get_running_loop()
        found, made = await loop.run_in_executor(reader, self._read)
        # Letters by the new rules may come at once, and it may take a while until all offices go by them.
        for name, each in self._offices.items():
            each.let(found.clients_of(name), besides=True)
        await loop.run_in_executor(router, self._router.heed, found)
        self._clerk.heed(found)
        await self._staff(opening, found, made)
        before, self._strays = self._strays, await loop.run_in_executor(reader, self._stray, found)
        self._refusal = ""
        self._ready.set()
        for warning in await loop.run_in_executor(reader, self._odd, found):
            logs.event(LOG, logging.WARNING, "odd rules", reason=warning)
        for name, number in self._strays.items():
            if name not in before:
                event = "notices wait for a receiver that is in no rule any more"
                logs.event(LOG, logging.WARNING, event, receiver=name, number=number)
        logs.event(LOG, logging.INFO, "rules", routes=len(found.routes), receivers=len(found.receivers))

    def _refuse(self, why: str) -> None:
        if why != self._refusal:
            self._refusal = why
            logs.event(LOG, logging.ERROR, "the rules are refused", reason=_line(why))

    def _read(self) -> tuple[Rules, Mapping[str, _New]]:
        """Return the rules, and the receivers that have to be made; some take a second."""
        # There were some: a folder that is not there at the moment?
        if not any(self._folder.glob(RULE_FILES)):
            raise OperatorError(
                f"{self._folder} has no rules any more; those before go on",
                "Put them back; to have none, leave an empty file there: none.toml.",
            )
        found = load(self._folder)
        wanted: dict[str, files.Marks] = {}
        for name, each in found.receivers.items():
            marks = files.marks(files.named(each))
            there = self._offices.get(name)
            if there is None or there.stale or not there.is_for(each, marks):
                wanted[name] = marks
        made = fitness.make(found, [found.receivers[name] for name in wanted], self._build)
        return found, {name: (made[name], marks) for name, marks in wanted.items()}

    def _odd(self, found: Rules) -> list[str]:
        """Return what is hardly meant."""
        try:
            clients = {client.name for client in registry.list_clients(self._engine)}
        except SQLAlchemyError:  # the router says so
            return list(fitness.odd(found, None))
        return list(fitness.odd(found, clients))

    def _stray(self, found: Rules) -> Mapping[str, int]:
        """Return how much waits for receivers that are in no rule any more: kept, for they may come back."""
        try:
            with reading(self._engine) as connection:
                standings = [*outbox.standings(connection), *reports.standings(connection)]
        except SQLAlchemyError:  # the router says so
            return self._strays
        waiting: dict[str, int] = {}
        for each in standings:
            if each.waiting and each.receiver not in found.receivers:
                waiting[each.receiver] = waiting.get(each.receiver, 0) + each.waiting
        return waiting

    async def _staff(self, opening: Opening, found: Rules, made: Mapping[str, _New]) -> None:
        """Let postmen go whose receiver is gone or another one, and begin with the new ones."""
        gone = [name for name in self._offices if name not in found.receivers or name in made]
        await office.close([self._offices[name] for name in gone])
        for name in gone:
            del self._offices[name]
        for name, (receiver, marks) in made.items():
            self._offices[name] = opening.office(found.receivers[name], receiver, marks)
        for name, each in self._offices.items():
            each.let(found.clients_of(name))

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
            try:
                forgotten = await loop.run_in_executor(letters, forget)
            except SQLAlchemyError:
                pass  # whoever needs the database says what is wrong with it
            except Exception:
                LOG.exception("fault in forgetting what was told")
            await asyncio.sleep(STEP_SECONDS if forgotten else FORGET_SECONDS)


def _differ(seen: files.Marks, read: files.Marks | None) -> bool:
    """Tell whether a file is another one than it was when the rules were read, or gone, or new."""
    return read is None or any(read.get(path, ...) != seen.get(path) for path in {*seen, *read})


def _line(why: str) -> str:
    """Return a message of several lines on one, as a log has it."""
    return "; ".join(line.strip() for line in why.splitlines())
