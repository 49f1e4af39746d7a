"""A spool that was set aside, as an earlier start would have done it."""

from pathlib import Path

from artemis_agent import salvage


def put_aside(path: Path, now_ns: int) -> str:
    """Set a spool aside at a time; return its new path."""
    return salvage._moved(path, salvage._free_name(path, now_ns))
