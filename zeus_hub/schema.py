"""What all tables of the hub's database share, and those of triage and of what a wall counts.

The others stand in database.py, which is what opens it.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from socme.text import REPLACEMENT

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# SQLite numbers rows by itself only where the type is spelled INTEGER.
NUMBER = BigInteger().with_variant(Integer, "sqlite")
LONGEST_TACTIC = 64  # characters of a tactic's name


def plain(text: str) -> str:
    """Return text as a column can hold it: PostgreSQL takes no character 0, SQLite looks not behind one."""
    return text.replace("\0", REPLACEMENT) if "\0" in text else text


# What people have done about alerts; those that nobody has touched have no row.
triage = Table(
    "triage",
    METADATA,
    Column("alert_number", NUMBER, primary_key=True, autoincrement=False),
    Column("status", Integer, nullable=False),  # socme.v1.TriageStatus
    Column("verdict", Integer, nullable=False),  # socme.v1.Verdict
    Column("reason", Text, nullable=False),
    Column("owner", String(63), nullable=False),  # "" for nobody
    Column("comments", Integer, nullable=False),  # how many
    Column("changed_us", BigInteger, nullable=False),
    Column("changed_by", String(63), nullable=False),
    Index(None, "status"),
)
Index(
    "ix_triage_owner",
    triage.c.owner,
    sqlite_where=triage.c.owner != "",
    postgresql_where=triage.c.owner != "",
)

# Every change of one alert's triage, in order: what `triage` says after it. Watchers follow the numbers, so
# none is ever used again, and nothing is changed or deleted here.
triage_change = Table(
    "triage_change",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("alert_number", BigInteger, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("actor", String(63), nullable=False),
    Column("action", String(16), nullable=False),  # "close": the name of a function in triaged.py
    Column("before", Integer, nullable=False),  # socme.v1.TriageStatus
    Column("status", Integer, nullable=False),
    Column("verdict", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", String(63), nullable=False),
    Column("comments", Integer, nullable=False),
    Column("text", Text, nullable=False),  # of a comment; "" otherwise
    Index(None, "alert_number"),
)

# Who did what, when: one row for each thing that somebody did, however many it concerned.
audit = Table(
    "audit",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("time_us", BigInteger, nullable=False),
    Column("actor", String(63), nullable=False),
    Column("action", String(63), nullable=False),  # "alert close"
    Column("subject", Text, nullable=False),  # what it was done to, for people
    Column("details", Text, nullable=False),  # a JSON object
)

# Alerts by quarter of an hour of their arrival, each roll-up counted with its count; written in the
# transactions that store or triage them. All sums on a wall are made of these, whatever the number of alerts.
slot = Table(
    "slot",
    METADATA,
    Column("severity", Integer, primary_key=True, autoincrement=False),
    Column("begin_us", BigInteger, primary_key=True, autoincrement=False),
    Column("client_id", Integer, primary_key=True, autoincrement=False),
    Column("alerts", BigInteger, nullable=False),
    Column("acknowledged", BigInteger, nullable=False),  # of them; those that are closed left out
    Column("closed", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# How often alerts named each of ATT&CK's tactics, by quarter of an hour; kept for a day.
tactic = Table(
    "tactic",
    METADATA,
    Column("begin_us", BigInteger, primary_key=True, autoincrement=False),
    Column("client_id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(LONGEST_TACTIC), primary_key=True),
    Column("alerts", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# How far the router has come: the last alert and the last change of triage that it took, and the last silence
# that groups of before were put under (router.py). One row, made when there are rules for the first time:
# what was there before is nobody's news.
router = Table(
    "router",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("alert_number", BigInteger, nullable=False),
    Column("change_number", BigInteger, nullable=False),
    Column("silence_number", BigInteger, nullable=False),
    Column("clock", LargeBinary, nullable=False),  # routes.steady.Steady
)

# The groups that live, what inhibits others, and where each alert went: contents as routes.kept writes them.
living_group = Table(
    "living_group",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
firing = Table(
    "firing",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
routed = Table(
    "routed",
    METADATA,
    Column("alert_number", NUMBER, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

# Alerts that nodes told people of themselves, until they come (foretold.py).
told_by_node = Table(
    "told_by_node",
    METADATA,
    Column("alert_id", LargeBinary(16), primary_key=True),
    Column("origin", String(127), primary_key=True),  # "client/node"
    Column("told_us", BigInteger, nullable=False),
    Index(None, "origin"),
    Index(None, "told_us"),
)

# What people have asked not to be told of for a while (silences.py); one that is ended early has its `until`
# moved, so that nothing is deleted.
silence = Table(
    "silence",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("client", String(63), nullable=False),
    Column("match", Text, nullable=False),  # an expression; "" for all alerts of the client
    Column("made_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("who", String(63), nullable=False),
    Column("why", Text, nullable=False),
    Index(None, "until_us"),
)

# What is to be told, and to whom (outbox.py); a row is one notice for one receiver.
outbox = Table(
    "outbox",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("receiver", String(63), nullable=False),
    Column("group_key", String(32), nullable=False),
    Column("notice_number", Integer, nullable=False),
    Column("notice", LargeBinary, nullable=False),  # notice.Notice as JSON
    Column("state", Integer, nullable=False),  # letters.State
    Column("attempts", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("done_us", BigInteger, nullable=False),  # while it waits: 0, or when some people there got it
    Column("reason", Text, nullable=False),
    Column("reference", String(128), nullable=False),  # what the receiver calls the group; "" for none
    Index(None, "receiver", "state", "number"),
    Index(None, "group_key", "receiver"),
    Index(None, "state", "done_us"),
)

# What people at a receiver made of groups (outcomes.py): of the alert there, and of the case that it is in.
outcome = Table(
    "outcome",
    METADATA,
    Column("group_key", String(32), primary_key=True),
    Column("receiver", String(63), primary_key=True),
    Column("kind", String(8), primary_key=True),  # "alert" or "case"
    Column("organisation", String(64), nullable=False),  # whose word it is
    Column("reference", String(128), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("status", String(64), nullable=False),
    Column("summary", Text, nullable=False),
    Column("impact", String(64), nullable=False),
    Column("case_id", String(64), nullable=False),  # "" for none
    Column("case_number", BigInteger, nullable=False),  # 0 where it is not known
    Column("changed_us", BigInteger, nullable=False),
    Index(None, "changed_us"),
)

# Up to where the changes are known that people made there.
outcome_mark = Table(
    "outcome_mark",
    METADATA,
    Column("receiver", String(63), primary_key=True),
    Column("organisation", String(64), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),  # by the receiver's clock
    Column("behind", Boolean, nullable=False),  # whether there is more that was not read yet
    Column("seen", LargeBinary, nullable=False),  # ids and times of what will be read again, as JSON
)

# From when on alerts are kept (purge.py): of those that came before, some or all are gone.
horizon = Table(
    "horizon",
    METADATA,
    Column("client_id", Integer, primary_key=True, autoincrement=False),
    Column(
        "severity", Integer, primary_key=True, autoincrement=False
    ),  # retention.OTHER: any that is not named
    Column("since_us", BigInteger, nullable=False),
)

# The days and months that are told to people (reports.py); a row is one report for one receiver, and stays
# for longer than its period could be due again.
report = Table(
    "report",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("name", String(63), nullable=False),  # as in the rules
    Column("client", String(63), nullable=False),
    Column("period", String(10), nullable=False),  # "2026-07-01" or "2026-07"
    Column("receiver", String(63), nullable=False),
    Column("kind", String(8), nullable=False),  # "day" or "month"
    Column("zone", String(64), nullable=False),  # whose days they are
    Column("content", LargeBinary, nullable=False),  # digest.Report as JSON
    Column("state", Integer, nullable=False),  # letters.State
    Column("attempts", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("done_us", BigInteger, nullable=False),  # while it waits: 0, or when some people there got it
    Column("reason", Text, nullable=False),
    UniqueConstraint("name", "client", "period", "receiver"),
    Index(None, "receiver", "state", "number"),
)

# How far an index has come that is made behind the alerts (fts.py, tsvector.py: each has a row of its own).
indexing = Table(
    "indexing",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("number", BigInteger, nullable=False),  # of an alert
)
