"""`zeus check`: whether the hub has what it needs; a line for each thing, and what to do where it has not.

`--deep` looks at everything that it keeps as well (see zeus_hub.deep).
"""

import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from socme.commands import ConfigOption, JsonOption
from socme.errors import OperatorError
from socme.identity import utc_now
from socme.launch import FAILED
from zeus_hub.commands.options import CONFIG, print_json

if TYPE_CHECKING:
    from zeus_hub.deep import Verdict
    from zeus_hub.plan import Plan

Look = Callable[["Plan"], str]

LEAST_FREE = 256 * 1024 * 1024  # bytes on the disk beside what the journal may still take
ANSWER_SECONDS = 5.0  # that a hub has to answer
_MIB = 1024 * 1024
LONGEST_LINE = 1000  # characters
_CLEAR = "\r\x1b[K"  # begins the line of a terminal anew
_LATER = "none yet, `zeus serve` makes it"
_MEND = "Keep a copy of the state folder, then restore a backup: zeus restore DIR"


def check(
    *,
    config: ConfigOption = CONFIG,
    json: JsonOption = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Look at every page, alert and batch, too; the hub may run meanwhile."),
    ] = False,
) -> None:
    """Say whether settings, certificate authority, database, journal, disk and ports are well."""
    from zeus_hub.commands import state  # noqa: PLC0415

    plan = state.read_plan(config)
    _tell("settings", str(config), well=True, json=json)
    well = [_report(name, look, plan, json=json) for name, look in CHECKS]
    if deep:
        well.append(_look_deep(plan, json=json))
    if not all(well):
        raise typer.Exit(FAILED)


def authority(settings: "Plan") -> str:
    """Look at the certificate authority."""
    from zeus_hub import ca  # noqa: PLC0415

    if not (settings.state_dir / "ca").exists():
        return _LATER
    found = ca.open_authority(settings.state_dir, now=utc_now())
    return f"{found.trust_domain}, good until {found.certificate.not_valid_after_utc:%Y-%m-%d}"


def database(settings: "Plan") -> str:
    """Look at the database; an older schema is brought up to date, as at any start."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import HEAD, NoDatabaseError, named, reading  # noqa: PLC0415
    from zeus_hub.sinks.store import refused  # noqa: PLC0415

    try:
        with state.opened(settings) as engine:
            clients, nodes = registry.list_clients(engine), len(registry.list_nodes(engine))
            with reading(engine) as connection:
                unreadable = refused(connection)
    except NoDatabaseError:
        return _LATER
    told = f"{named(engine)}, schema {HEAD}, {len(clients)} clients, {nodes} nodes"
    strange = sorted(settings.retention.clients.keys() - {one.name for one in clients})
    if strange:
        raise OperatorError(
            f"store.retention.clients names {strange[0]}, a client that there is not",
            "Mend the name, or add the client: until then its alerts are kept as all are.",
        )
    return f"{told}, {unreadable} batches that could not be read were set aside" if unreadable else told


def journal(settings: "Plan") -> str:
    """Look at the journal, and at what of it is not in the database yet."""
    from socme.journal import Journal  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.commit import explained  # noqa: PLC0415
    from zeus_hub.database import reading  # noqa: PLC0415
    from zeus_hub.sinks.store import position  # noqa: PLC0415

    path = settings.state_dir / "journal.db"
    if not path.exists():
        return _LATER
    with state.opened(settings) as engine, reading(engine) as connection:
        stored = position(connection)
    with explained(path), closing(Journal(path)) as opened:
        depth = opened.depth(stored)
    return f"{path}, {depth.alerts} alerts in it are not in the database yet"


def disk(settings: "Plan") -> str:
    """Look at the free space: the journal must be able to grow to its bound."""
    path = settings.state_dir / "journal.db"
    folder = next(parent for parent in (settings.state_dir, *settings.state_dir.parents) if parent.exists())
    held = path.stat().st_size if path.exists() else 0
    wanted = max(0, settings.keep_bytes - held) + LEAST_FREE
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OperatorError(
            f"{free // _MIB} MiB free in {folder}, {wanted // _MIB} MiB wanted",
            "Make room, or set a smaller journal.keep_bytes.",
        )
    return f"{free // _MIB} MiB free"


def ports(settings: "Plan") -> str:
    """Ask the running hub how it is; where none runs, see whether its ports are free."""
    from zeus_hub import local  # noqa: PLC0415

    here = local.loopback(settings)
    if _answers(settings, here.hub):
        return f"the hub answers at {here.hub}"
    for key, address in (("listen", settings.listen), ("enroll_listen", local.enroll_listen(settings))):
        local.probe(key, address)
    return "free; no hub runs here now"


def addresses(settings: "Plan") -> str:
    """Tell what tokens will say, so that a wrong address is seen before it is pasted somewhere."""
    from zeus_hub import local  # noqa: PLC0415

    public = local.public(settings)
    return f"tokens will name {public.hub} and, to enrol, {public.enrolment}"


def routes(settings: "Plan") -> str:
    """Look at the rules and what the hub needs for them, as it does; `zeus sink test` talks to a receiver."""
    folder = settings.routes_dir
    if not any(folder.glob("*.toml")):
        return f"none in {folder}: nobody is told of anything"
    from zeus_hub import fitness  # noqa: PLC0415
    from zeus_hub.routes.reading import load  # noqa: PLC0415

    rules = load(folder)
    fitness.make(rules, rules.receivers.values())
    odd = "".join(f"\nodd: {warning}" for warning in fitness.odd(rules, _clients(settings)))
    return f"{folder}, {len(rules.routes)} routes, {len(rules.receivers)} receivers{odd}"


def _clients(settings: "Plan") -> set[str] | None:
    """Return the clients that there are; None where the database cannot be asked, which its check says."""
    from zeus_hub import registry  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415

    try:
        with state.opened(settings) as engine:
            return {client.name for client in registry.list_clients(engine)}
    except OperatorError:
        return None


CHECKS: tuple[tuple[str, Look], ...] = (
    ("certificate authority", authority),
    ("database", database),
    ("journal", journal),
    ("disk", disk),
    ("routes", routes),
    ("ports", ports),
    ("addresses", addresses),
)


def _report(name: str, look: Look, settings: "Plan", *, json: bool) -> bool:
    from zeus_hub.commands import state  # noqa: PLC0415

    try:
        with state.usable(settings):
            _tell(name, look(settings), well=True, json=json)
    except OperatorError as error:
        _tell(name, str(error), well=False, json=json)
        return False
    return True


def _look_deep(settings: "Plan", *, json: bool) -> bool:
    """Look at everything that is kept; what it opens, the checks before it have looked at."""
    from zeus_hub import deep  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.database import NoDatabaseError  # noqa: PLC0415

    watched = sys.stderr.isatty() and not json
    progress = _say_progress if watched else _say_nothing
    found = []
    try:
        with state.opened(settings) as engine:
            for verdict in deep.examine(engine, settings.state_dir / "journal.db", progress):
                if watched:
                    typer.echo(_CLEAR, err=True, nl=False)
                found.append(_judge(verdict, json=json))
    except NoDatabaseError:
        return True
    except OperatorError as error:
        _tell("deep", str(error), well=False, json=json)
        return False
    return all(found)


def _judge(verdict: "Verdict", *, json: bool) -> bool:
    well = not verdict.problems
    if json:
        print_json(
            {
                "check": verdict.name,
                "ok": well,
                "looked": verdict.looked,
                "problems": verdict.problems,
                "examples": list(verdict.examples),
            }
        )
        return well
    lines = [f"{verdict.looked} looked at", *verdict.examples]
    if verdict.problems:
        more = verdict.problems - len(verdict.examples)
        lines += [f"and {more} more"] * bool(more) + [_MEND]
    _tell(verdict.name, "\n".join(lines), well=well, json=False)
    return well


def _tell(name: str, text: str, *, well: bool, json: bool) -> None:
    if json:
        print_json({"check": name, "ok": well, "told": text})
        return
    from socme.text import clean  # noqa: PLC0415 - --help must be quick

    first, *more = (clean(line, LONGEST_LINE) for line in text.split("\n"))
    typer.echo(f"{'ok  ' if well else 'FAIL'}  {name}: {first}")
    for line in more:
        typer.echo(f"    {line}")


def _say_progress(name: str, looked: int) -> None:
    """Write over the line that says how far it is; the verdict comes in its place."""
    typer.echo(f"{_CLEAR}...   {name}: {looked}", err=True, nl=False)


def _say_nothing(_name: str, _looked: int) -> None:
    """Keep quiet where nobody watches."""


def _answers(settings: "Plan", address: str) -> bool:
    """Tell whether a hub answers; raise OperatorError where it answers that it is not well."""
    import grpc  # noqa: PLC0415
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    from socme import identity, tls  # noqa: PLC0415

    folder = settings.state_dir / "operator"
    if not identity.folder(folder).exists():
        return False  # no hub ever ran
    me = identity.load(folder, now=utc_now(), command="zeus serve")
    credentials = tls.channel_credentials(key=me.key, chain=me.chain, ca=me.ca)
    try:
        with grpc.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_SECONDS)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAVAILABLE:
            return False
        raise OperatorError(f"{address} answers: {error.details()}", "Is this another hub's port?") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise OperatorError(
            f"the hub at {address} runs, but cannot write its journal", "Its log says why: journalctl -u zeus"
        )
    return True
