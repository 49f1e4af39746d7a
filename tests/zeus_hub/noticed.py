"""Notices for tests, and what is next of them."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from socme.v1.alert_pb2 import Severity
from zeus_hub import outbox
from zeus_hub.notice import Member, Notice, Observable, Technique, Title
from zeus_hub.outbox import Letter

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
FOREVER = datetime(2999, 1, 1, tzinfo=UTC)  # when everything is due


def notice(
    group: str = "a" * 32, *, number: int = 1, reason: str = "new", count: int = 3, fresh: int = 3
) -> Notice:
    """Return a notice of a brute force."""
    return Notice(
        group=group,
        number=number,
        reason=reason,  # type: ignore[arg-type]
        route="brute force",
        client="acme",
        client_name="Acme",
        labels=(("client", "acme"), ("source.ip", "203.0.113.9")),
        severity=Severity.SEVERITY_HIGH,
        count=count,
        fresh=fresh,
        first=NOON,
        last=NOON + timedelta(seconds=30),
        titles=(Title("sshd: brute force", count),),
        techniques=(Technique("T1110", "Brute Force", ("Credential Access",)),),
        observables=(Observable("ip", "203.0.113.9"), Observable("ip", "10.0.0.5", internal=True)),
        members=(
            Member(
                id="0" * 31 + "1",
                node="acme-1",
                time=NOON,
                received=NOON + timedelta(seconds=1),
                severity=Severity.SEVERITY_HIGH,
                source="wazuh",
                rule_id="5763",
                rule_name="sshd: brute force",
                host="web-1",
                source_ip="203.0.113.9",
                destination_ip="10.0.0.5",
                techniques=("T1110",),
            ),
        ),
    )


def first(connection: Connection, receiver: str = "mail") -> Letter:
    """Return what a receiver is told next; there must be something."""
    found = outbox.next_of(connection, receiver, FOREVER)
    assert found is not None
    return found
