"""The hub: ingest ─▶ journal ─▶ deliver ─▶ sinks, and journal ─▶ live."""
