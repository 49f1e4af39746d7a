"""Bytes leave a stream as they are; messages are serialised as ever."""

from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest

from zeus_hub.serialised import Serialised


class Handler(SimpleNamespace):
    """What gRPC says of a method."""

    def _replace(self, **changes: object) -> "Handler":
        return Handler(**{**vars(self), **changes})


async def asked(*, response_streaming: bool) -> Handler:
    """Return what becomes of a method's handler."""

    async def found(_: object) -> Handler:
        return Handler(response_streaming=response_streaming, response_serializer=lambda text: text.encode())

    return cast("Handler", await Serialised().intercept_service(found, cast("Any", None)))


@pytest.mark.parametrize(("sent", "written"), [(b"done", b"done"), ("text", b"text")])
async def test_a_stream_may_send_bytes(sent: object, written: bytes) -> None:
    assert (await asked(response_streaming=True)).response_serializer(sent) == written


async def test_a_single_answer_is_a_message() -> None:
    with pytest.raises(AttributeError):
        (await asked(response_streaming=False)).response_serializer(b"done")


async def test_a_method_that_there_is_not_stays_unknown() -> None:
    async def nothing(_: grpc.HandlerCallDetails) -> None:
        return None

    assert await Serialised().intercept_service(nothing, cast("Any", None)) is None
