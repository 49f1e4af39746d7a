"""A report, as tests use it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from socme.v1.vitals_pb2 import Health
from zeus_hub.digest import Judged, NodeState, Report, watched
from zeus_hub.health import Moment
from zeus_hub.notice import Title
from zeus_hub.periods import Kind
from zeus_hub.reports import Draft

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 6, 30, 22, tzinfo=UTC)
END = START + timedelta(days=1)
_SILENT = Moment(START + timedelta(hours=3), Health.HEALTH_SILENT, "acme-1: nothing was heard of it")
CONTENT = Report(
    client="acme",
    client_name="Acme Ltd",
    start=START,
    end=END,
    counts=((3, 2), (1, 40)),
    titles=(Title("sshd: brute force\r\nBcc: eve@example.org", 42),),
    sources=(Title("192.0.2.7", 42),),
    judged=Judged(acknowledged=2, seconds_to_acknowledge=90.5),
    watched=watched(
        [Moment(START, Health.HEALTH_UP), _SILENT, Moment(START + timedelta(hours=4), Health.HEALTH_UP)],
        START,
        END,
    ),
    nodes=(NodeState("acme-1", "up"),),
    sampled=3,
)


def draft(kind: Kind = "day", period: str = "2026-07-01", name: str = "every day") -> Draft:
    return Draft(name=name, kind=kind, period=period, zone=PARIS, content=CONTENT)
