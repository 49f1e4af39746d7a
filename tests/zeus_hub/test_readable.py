"""Whatever bytes come as a request, the caller is told in a word, and the log has no traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from socme import tls
from tests.zeus_hub.kit import LIMIT, connect, hub
from zeus_hub.readable import UNREADABLE

Ask = Callable[[str], Callable[..., Any]]
NOISE = b"\xff" * 40
UNARY = ("/grpc.health.v1.Health/Check",)
STREAMS = ("/socme.v1.Watch/Alerts", "/socme.v1.Watch/Fleet", "/grpc.health.v1.Health/Watch")


async def refusal(channel: grpc.aio.Channel, method: str, *, stream: bool) -> tuple[grpc.StatusCode, str]:
    """Return how a call with noise ends: its code, and what is said."""
    ask: Ask = channel.unary_stream if stream else channel.unary_unary
    call = ask(method)(NOISE, timeout=LIMIT)
    return await call.code(), await call.details()


async def test_noise_is_refused_everywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with hub(tmp_path) as zeus:
        found = []
        async with connect(zeus.address, zeus.operator()) as channel:
            found += [await refusal(channel, method, stream=False) for method in UNARY]
            found += [await refusal(channel, method, stream=True) for method in STREAMS]
        credentials = tls.enrolment_channel_credentials(ca=zeus.ca)
        address = zeus.running.listening.enrolment
        async with grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
            found.append(await refusal(channel, "/socme.v1.Enrollment/Enroll", stream=False))

    assert set(found) == {(grpc.StatusCode.INVALID_ARGUMENT, UNREADABLE)}
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_method_that_there_is_not_stays_unknown(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus, connect(zeus.address, zeus.operator()) as channel:
        code, _ = await refusal(channel, "/socme.v1.Watch/Nothing", stream=False)

    assert code is grpc.StatusCode.UNIMPLEMENTED
