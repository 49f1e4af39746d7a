"""The call to the hub as two functions that fail in one way only.

gRPC tells the end of a call by two kinds of exceptions and a value; here each becomes BrokenError, with
the status that the call ended with.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import grpc
import grpc.aio

from socme import tls
from socme.identity import Identity
from socme.v1.uplink_pb2 import HubMessage, NodeMessage
from socme.v1.uplink_pb2_grpc import UplinkStub

if TYPE_CHECKING:
    from grpc.aio import StreamStreamCall


class BrokenError(Exception):
    """The call is over. `code` is the name of gRPC's status code: "OK" where the hub ended it well."""

    def __init__(self, code: str, details: str | None) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = tls.explain(details)
        """For people; hostile text stays hostile."""


class Wire(Protocol):
    """One stream to the hub; each function is called by one task at a time."""

    async def write(self, message: NodeMessage) -> None:
        """Send; return once the stream has room for more, or raise BrokenError.

        Where the hub ended the stream, that may say no more than INTERNAL: `read` knows why, if it waits.
        """

    async def read(self) -> HubMessage:
        """Return the hub's next message, or raise BrokenError."""


@asynccontextmanager
async def dial(address: str, identity: Identity) -> AsyncIterator[Wire]:
    """Open a stream to the hub for as long as the context lasts; what fails is told by its first use."""
    # A new channel each time: its credentials cannot be changed, and a new one looks the name up anew.
    credentials = tls.channel_credentials(key=identity.key, chain=identity.chain, ca=identity.ca)
    target = tls.target(address)
    async with grpc.aio.secure_channel(target, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        call = UplinkStub(channel).Connect()
        try:
            yield _Call(call)
        finally:
            call.cancel()


class _Call:
    """A Wire over gRPC."""

    def __init__(self, call: "StreamStreamCall[NodeMessage, HubMessage]") -> None:
        self._call = call

    async def write(self, message: NodeMessage) -> None:
        try:
            await self._call.write(message)
        except asyncio.InvalidStateError:  # a write to a stream that has ended, however it did
            raise await self._broken() from None
        except grpc.aio.AioRpcError as error:
            raise BrokenError(error.code().name, error.details()) from error

    async def read(self) -> HubMessage:
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise BrokenError(error.code().name, error.details()) from error
        if not isinstance(message, HubMessage):  # grpc.aio.EOF
            raise await self._broken()
        return message

    async def _broken(self) -> BrokenError:
        code = await self._call.code()
        return BrokenError(code.name, await self._call.details())
