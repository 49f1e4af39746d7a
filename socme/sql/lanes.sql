-- What a journal needs beside its own tables to be read, counted and forgotten lane by lane.

-- All columns but the payload, so that counting never reads the alerts themselves.
CREATE INDEX entry_lane ON entry (lane, position, sequence, received_us, alerts, encoding, bytes, origin);

-- Entries that stand for others (socme.v1.ENCODING_DROPPED); there are few.
CREATE INDEX entry_dropped ON entry (lane, position) WHERE encoding = 2;

-- Positions begin high: what one entry is split into finds room before all others.
INSERT INTO sqlite_sequence (name, seq) VALUES ('entry', 1099511627776);
