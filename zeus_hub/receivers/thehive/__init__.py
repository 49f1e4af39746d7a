"""TheHive 5 as a receiver: one TheHive alert for a group of ours, and what people made of it.

notice ─▶ alert (what is written) ─▶ receiver (in which order) ─▶ api (which call) ─▶ line (HTTP) ══▶ TheHive
TheHive ══▶ poll ─▶ outcome
"""
