"""Cut what is many into portions that are bounded in number and in size. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def portions(
    items: Sequence[Item], size: Callable[[Item], int], *, most: int, largest: int
) -> Iterator[Sequence[Item]]:
    """Yield all items in order, in portions of at most `most` items and `largest` bytes, or of one item."""
    begin = total = 0
    for index, item in enumerate(items):
        if index > begin and (index - begin == most or total + size(item) > largest):
            yield items[begin:index]
            begin, total = index, 0
        total += size(item)
    if begin < len(items):
        yield items[begin:]
