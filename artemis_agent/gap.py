"""What this node says of itself, as alerts: lines that can no longer be had, a spool that was damaged. Pure.

They take the way of all alerts and are never rolled up or filtered: a loss that nobody sees is the worst one.
"""

from datetime import datetime
from hashlib import blake2b

from artemis_agent.source import Gap
from artemis_agent.values import timestamp
from socme.batch import ID_BYTES
from socme.v1.alert_pb2 import Alert, AlertSource, Condition, ConditionState, Rule, Severity

GAP = "gap"
SPOOL_DAMAGED = "spool_damaged"


def gap_alert(gap: Gap, *, origin: str, observed: datetime) -> Alert:
    """Return the alert that says which part of a source is lost; `origin` is the source's name.

    Found again after a restart, it has the same id.
    """
    size = "unknown" if gap.size is None else str(gap.size)
    amount = "an unknown number of bytes" if gap.size is None else f"at least {gap.size:,} bytes"
    alert = _alert(
        GAP,
        identity=(gap.file, str(gap.offset).encode(), size.encode()),
        name="Lines of a log can no longer be had",
        message=f"{origin}: {amount} from byte {gap.offset:,} on can no longer be had: {gap.reason}",
        subject=origin,
        observed=observed,
    )
    alert.origin = origin
    alert.offset = gap.offset
    return alert


def spool_damaged(path: str, *, observed: datetime) -> Alert:
    """Return the alert that says that a damaged spool was set aside at `path`; the same for each path."""
    return _alert(
        SPOOL_DAMAGED,
        identity=(path.encode(),),
        name="The spool was damaged and set aside",
        message=(
            f"the spool was damaged: it is kept at {path}, and reading resumed at the last sure position. Run"
            " `artemis spool repair` there to send what is left in it"
        ),
        subject="",
        observed=observed,
    )


def _alert(
    kind: str, *, identity: tuple[bytes, ...], name: str, message: str, subject: str, observed: datetime
) -> Alert:
    digest = blake2b(b"socme\x00" + kind.encode(), digest_size=ID_BYTES)
    for part in identity:
        digest.update(b"\x00" + len(part).to_bytes(4, "big") + part)
    time = timestamp(observed)
    return Alert(
        id=digest.digest(),
        source=AlertSource.ALERT_SOURCE_SOCME,
        time=time,
        observed=time,
        severity=Severity.SEVERITY_HIGH,
        rule=Rule(id=f"socme.{kind}", name=name),
        message=message,
        count=1,
        condition=Condition(
            kind=kind, subject=subject, state=ConditionState.CONDITION_STATE_HAPPENED, since=time
        ),
    )
