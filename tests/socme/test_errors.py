import asyncio

import pytest

from socme.errors import OperatorError, first


def test_message_and_mend_stand_on_lines_of_their_own() -> None:
    assert str(OperatorError("it is broken", "Mend it.")) == "it is broken\n  Mend it."
    assert str(OperatorError("it is broken")) == "it is broken"


async def test_an_error_is_found_through_the_groups_around_it() -> None:
    async def fail() -> None:
        async with asyncio.TaskGroup() as inner:
            inner.create_task(_raise("inside"))

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(fail())

    assert str(first(caught.value)) == "inside"


async def _raise(message: str) -> None:
    raise OperatorError(message)
