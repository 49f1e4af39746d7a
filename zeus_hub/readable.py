"""Calls whose request is no message are refused in a word: gRPC by itself writes a traceback for each.

Where requests are a stream, whoever reads them hears of it (see ingest).
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from zeus_hub.authorise import Context

UNREADABLE = "a message that cannot be read"
Handler: TypeAlias = Any  # grpc.RpcMethodHandler; its types say nothing of its fields
Work = Callable[[object, Context], Awaitable[object]]


class Readable(grpc.aio.ServerInterceptor):
    """Stands before all handlers of a server; they are coroutines, also those with a stream of answers."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Return a handler that bears whatever is sent."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        kind = "unary_stream" if handler.response_streaming else "unary_unary"
        return handler._replace(
            request_deserializer=_tolerant(handler.request_deserializer),
            **{kind: _polite(getattr(handler, kind))},
        )


def _tolerant(deserialise: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        try:
            return deserialise(data)
        except DecodeError:
            return None

    return read


def _polite(work: Work) -> Work:
    async def answer(request: object, context: Context) -> object:
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, UNREADABLE)
        return await work(request, context)

    return answer
