"""The agent on a client's network: tail ─▶ sift ─▶ normalise ─▶ filter ─▶ spool ─▶ uplink."""
