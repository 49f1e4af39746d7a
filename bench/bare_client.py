"""A client that is nothing but a connection: python -m bench.bare_client ADDRESS FOLDER HELLO.

It opens Uplink.Connect with the identity in FOLDER, sends HELLO (hexadecimal) and reads for ever; the
messages stay bytes. What it takes is what Python, asyncio and gRPC take, whoever uses them.
"""

import asyncio
import sys
from pathlib import Path

import grpc
import grpc.aio

METHOD = "/socme.v1.Uplink/Connect"
NAME = "zeus.socme.internal"  # socme.tls.SERVER_NAME, which would bring more with it


async def stay(address: str, folder: Path, hello: bytes) -> None:
    """Hold one stream open."""
    key, chain, ca = ((folder / f"{part}.pem").read_bytes() for part in ("key", "chain", "ca"))
    credentials = grpc.ssl_channel_credentials(ca, key, chain)
    options = [("grpc.ssl_target_name_override", NAME)]
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(METHOD)()
        await call.write(hello)
        while await call.read() is not grpc.aio.EOF:
            pass


if __name__ == "__main__":
    asyncio.run(stay(sys.argv[1], Path(sys.argv[2]), bytes.fromhex(sys.argv[3])))
