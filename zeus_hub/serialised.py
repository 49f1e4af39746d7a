"""Lets services send what they have serialised already: once for all who get it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc

Handler: TypeAlias = Any  # grpc.RpcMethodHandler; its types say nothing of its fields


class Serialised(grpc.aio.ServerInterceptor):
    """Stands before all handlers of a server: bytes leave those with a stream of answers as they are."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Return a handler that may send bytes for messages."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        return handler._replace(response_serializer=_unless_done(handler.response_serializer))


def _unless_done(serialise: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def written(message: object) -> bytes:
        return message if isinstance(message, bytes) else serialise(message)

    return written
