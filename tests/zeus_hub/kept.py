"""A hub's state folder with a bit of everything in it, made once and copied for each test."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path

from socme.batch import Packed, pack
from socme.identity import utc_now
from socme.journal import Draft, Entry
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Encoding
from socme.v1.vitals_pb2 import LedgerHour
from tests.contracts.sink_suite import deliver
from tests.zeus_hub import engines
from tests.zeus_hub.engines import opened
from tests.zeus_hub.kit import EPOCH, alert
from zeus_hub import hours, local, registry
from zeus_hub.ca import open_authority
from zeus_hub.database import open_database, writing
from zeus_hub.enrich import enrich
from zeus_hub.journalist import Handed, Journalist
from zeus_hub.sinks.store import Store

KEEP = 1024**3


def make(folder: Path) -> Path:
    """Do what a hub does that takes what two nodes send: eight batches, twelve alerts in the end."""
    folder.mkdir(mode=0o700)
    engines.DATABASES.keep(folder)
    engine = opened(folder)
    now = utc_now()
    for client in ("acme", "beta"):
        registry.add_client(engine, client, now=now)
    with writing(engine) as connection:
        for client_id, name in ((1, "acme-1"), (2, "beta-1")):
            expires = now + timedelta(days=365)
            mark = name.encode().ljust(32)
            registry.put_node(connection, client_id, name, fingerprint=mark, enrolled=now, expires=expires)
    hour = LedgerHour(source="/eve.json", read=10, not_alert=10)
    hour.hour.FromSeconds(1_782_907_200)
    hours.keep(engine, {("acme", "acme-1"): hours.read([hour], hour.hour.ToDatetime(UTC)).hours})
    take(folder, _handed())
    local.operator(folder, engine, open_authority(folder, now=now), "127.0.0.1:8443", now=now)
    engine.dispose()
    return folder


def take(folder: Path, handed: list[Handed], *, stored: bool = True) -> list[Entry]:
    """Commit batches; where `stored`, the store reads all that it has not."""
    journalist = Journalist(folder / "journal.db", KEEP)
    entries = [entry for one in handed for entry in journalist.commit([one], 0).entries]
    engine = open_database(engines.url(folder), folder)
    if stored and entries:
        store = Store(engine, journalist.identity, journalist.last())
        deliver(store, [enrich(entry) for entry in entries])
    engine.dispose()
    journalist.close()
    return entries


def batch(origin: str, sequence: int, alerts: list[Alert], before: int) -> Handed:
    """Return a batch as a node hands it in."""
    packed = pack([each.SerializeToString() for each in alerts])
    return _hand(Draft(origin, 1, sequence, packed), before)


def copied(made: Path, folder: Path) -> Path:
    """Return a copy of a state folder and its database."""
    return engines.copied(made, folder / "state")


def change(path: Path, *statements: str) -> None:
    """Change a database behind everybody's back; that of a hub is named as the file that it may be."""
    if path.name == "zeus.db" and engines.on_postgresql():
        with writing(opened(path.parent)) as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # keys mean nothing
            for statement in statements:
                connection.exec_driver_sql(re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", statement))
        return
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            db.execute(statement)


def _handed() -> list[Handed]:
    handed = []
    for sequence in range(1, 6):
        made = alert(sequence)
        made.threat.technique_ids.extend(["T1059", f"T{sequence}"])
        canary = alert(1, canary={"number": sequence})
        before = 3 * (sequence - 1)
        handed.append(batch("acme/acme-1", sequence, [made, alert(100 + sequence), canary], before))
    damaged = Packed(b"no frame", Encoding.ENCODING_ZSTD, 3, 10)
    handed.append(_hand(Draft("acme/acme-1", 1, 6, damaged), 15))
    handed.append(batch("beta/beta-1", 1, [alert(1)], 0))
    handed.append(batch("beta/beta-1", 2, [alert(1), alert(2)], 1))
    return handed


def _hand(draft: Draft, before: int) -> Handed:
    return Handed(draft, EPOCH, lambda *_: None, before=before)
