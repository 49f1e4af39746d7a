-- Schema of a journal, version 4 (PRAGMA user_version). One file holds one journal.

-- The log itself. AUTOINCREMENT: a position is never given twice, not even after all entries are gone.
CREATE TABLE entry (
    position      INTEGER PRIMARY KEY AUTOINCREMENT,
    origin        TEXT    NOT NULL,  -- who sent it: "client/node" at the hub, the source on a node
    lane          INTEGER NOT NULL,  -- socme.v1.Lane
    sequence      INTEGER NOT NULL,  -- its number within origin, epoch and lane
    received_us   INTEGER NOT NULL,  -- when it was appended, microseconds since 1970
    alerts        INTEGER NOT NULL,  -- how many alerts it holds
    encoding      INTEGER NOT NULL,  -- socme.v1.Encoding
    decoded_bytes INTEGER NOT NULL,  -- size of the payload once decompressed
    bytes         INTEGER NOT NULL,  -- size of the payload
    payload       BLOB    NOT NULL   -- last, so that the columns before it are read without it
) STRICT;

-- Small facts that are committed together with entries: read positions, high-water marks, the epoch.
CREATE TABLE note (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    "check" INTEGER NOT NULL  -- CRC-32 of key and value
) STRICT, WITHOUT ROWID;
