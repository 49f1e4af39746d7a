"""When each of many things must be looked at again: a look costs what is due, not all there is. Pure."""

import heapq

Key = tuple[str, str]  # client and node


class Agenda:
    """A time for each key, by any clock that does not jump."""

    def __init__(self) -> None:
        self._times: dict[Key, float] = {}
        self._heap: list[
            tuple[float, Key]
        ] = []  # what is not in _times as well has been put off or brought forward

    def put(self, key: Key, at: float) -> None:
        """Have a key looked at from some time on, in place of what was said of it before."""
        if self._times.get(key) != at:
            self._times[key] = at
            heapq.heappush(self._heap, (at, key))

    def due(self, now: float) -> set[Key]:
        """Return the keys whose time has come, and forget them."""
        found: set[Key] = set()
        while self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            if self._times.get(key) == at:
                del self._times[key]
                found.add(key)
        return found
