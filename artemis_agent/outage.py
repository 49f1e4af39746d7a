"""For how long no hub has taken anything, as it counts for telling people without one. Pure.

A connection alone proves nothing: what counts is that alerts are acknowledged, or that none waits. A hub that
says that this node may not connect is there: whoever withdrew the node's certificate is not to be mailed.
"""

STALL_SECONDS = (
    90.0  # a connection this old over which nothing was acknowledged is of no use; a stream ends at 60
)


class Outage:
    """Is told how things stand every few seconds; all times are of a clock that is never set."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._connected: float | None = None
        self._acknowledged: object = None

    def look(
        self, now: float, *, connected: bool, turned_away: bool, waits: bool, acknowledged: object
    ) -> float:
        """Return for how many seconds it has lasted; 0 where none is to be assumed.

        `waits` says whether there is something to acknowledge, `acknowledged` is another value after each
        acknowledgement, be it by a connection that is gone: a mail may keep anybody from looking for minutes.
        While a connection is young it gets its time, whatever was before.
        """
        fresh, self._acknowledged = acknowledged != self._acknowledged, acknowledged
        if not connected:
            self._connected = None
        elif self._connected is None:
            self._connected = now
        if turned_away or fresh or (connected and not waits):
            self._since = now
        if self._connected is not None and now - self._connected < STALL_SECONDS:
            return 0.0
        return now - self._since
