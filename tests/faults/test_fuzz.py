"""Strangers' bytes: whatever comes, the answer is a value or a refusal, never a crash.

The same targets under atheris, which is guided by coverage: scripts/fuzz.py.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socme import identity, tls, token
from socme.v1.enrollment_pb2 import EnrollmentToken, EnrollRequest
from socme.v1.uplink_pb2 import AlertBatch, Hello, NodeMessage
from socme.v1.vitals_pb2 import Vitals
from tests.faults import fuzzing
from tests.faults.fuzzing_calls import CUT
from tests.faults.lines import lines
from tests.flow.programs import Follow, Stage
from zeus_hub import authorise

EXAMPLES = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
STREAMS = 60  # that a hostile node opens
METHODS = ("/socme.v1.Uplink/Connect", "/socme.v1.Watch/Alerts", "/socme.v1.Watch/Fleet")


def mutated(seed: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return something near a seed: cut, with bytes changed, with a piece twice."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(seed))
        for _ in range(draw(st.integers(0, 4))):
            place = draw(st.integers(0, max(0, len(data) - 1)))
            match draw(st.integers(0, 4)):
                case 0:
                    del data[place:]
                case 1:
                    data[place : place + 1] = draw(st.binary(max_size=4))
                case 2:
                    data[place:place] = draw(st.sampled_from(SPICE))
                case 3:
                    data[place:place] = data[place : place + draw(st.integers(1, 64))]
                case _:
                    del data[place : place + draw(st.integers(1, 16))]
        return bytes(data)

    return build()


SPICE = [
    b'"',
    b"\\",
    b"\x00",
    b"{",
    b"[" * 200,
    b"\xff",
    b"\\ud800",
    b"1e999",
    b"-1",
    b"null",
    b"\r\n",
    b"9" * 400,
]
TOKEN = token.encode(EnrollmentToken(hub_address="zeus.example:8443", secret=bytes(16))).encode()


@EXAMPLES
@given(
    st.binary(max_size=200)
    | mutated(st.sampled_from(fuzzing.SEEDS["tokens"]))
    | mutated(st.just(TOKEN.removeprefix(b"socme1.")))
)
def test_tokens(data: bytes) -> None:
    fuzzing.tokens(data)


@EXAMPLES
@given(st.binary(max_size=300) | mutated(st.just(fuzzing.SEEDS["requests"][0])))
def test_requests(data: bytes) -> None:
    fuzzing.requests(data)


@settings(EXAMPLES, max_examples=100)
@given(
    st.lists(
        st.sampled_from(fuzzing.SEEDS["streams"]) | mutated(st.sampled_from(fuzzing.SEEDS["streams"])),
        max_size=4,
    )
)
def test_streams(said: list[bytes]) -> None:
    fuzzing.TARGETS["streams"](CUT.join(said))


@EXAMPLES
@given(st.binary(max_size=100) | mutated(st.sampled_from(fuzzing.SEEDS["calls"])))
def test_calls(data: bytes) -> None:
    fuzzing.TARGETS["calls"](data)


@EXAMPLES
@given(mutated(st.sampled_from(fuzzing.SEEDS["peers"])))
def test_peers(data: bytes) -> None:
    fuzzing.TARGETS["peers"](data)


def test_a_peers_certificate_is_read() -> None:
    """Or nothing is proved of those that are not."""
    assert [authorise._peer(each) is not None for each in fuzzing.SEEDS["peers"]] == [True, True]


@EXAMPLES
@given(mutated(st.sampled_from(fuzzing.SEEDS["suricata"])))
def test_suricata(data: bytes) -> None:
    fuzzing.suricata(data)


@EXAMPLES
@given(mutated(st.sampled_from(fuzzing.SEEDS["wazuh"])))
def test_wazuh(data: bytes) -> None:
    fuzzing.wazuh(data)


@EXAMPLES
@given(st.binary(max_size=500))
def test_batches(data: bytes) -> None:
    fuzzing.batches(data)


@EXAMPLES
@given(st.binary(max_size=500) | st.text().map(lambda text: text.encode(errors="surrogatepass")))
def test_texts(data: bytes) -> None:
    fuzzing.texts(data)


def messages(dice: random.Random) -> Iterator[bytes]:
    """Yield what a hostile node says: real messages, messages with wrong values, and noise."""
    if dice.random() < 0.8:
        yield NodeMessage(
            hello=Hello(epoch=dice.randbytes(16), vitals_interval_seconds=1)
        ).SerializeToString()
    for sequence in range(dice.randrange(5)):
        batch = AlertBatch(
            lane=dice.choice([0, 1, 2, 15, 16, -1]),  # type: ignore[arg-type]
            sequence=dice.choice([0, 1, sequence, 2**63, 2**64 - 1]),
            encoding=dice.choice([0, 1, 2, 99]),  # type: ignore[arg-type]
            payload=dice.randbytes(dice.randrange(300)),
            alerts=dice.choice([0, 1, 5000, 2**32 - 1]),
            decoded_bytes=dice.choice([0, 1, 2**63, 2**64 - 1]),
            alerts_before=dice.choice([0, 2**64 - 1]),
        )
        said = NodeMessage(batch=batch).SerializeToString()
        changed = bytearray(said)
        changed[dice.randrange(len(changed))] ^= dice.randrange(1, 256)
        yield dice.choice([said, bytes(changed), dice.randbytes(40), b""])
    yield NodeMessage(vitals=Vitals(hostname="\x1b[2J" * 9, cpu_usage=float("nan"))).SerializeToString()


@contextmanager
def node_channel(state: Path, address: str) -> Iterator[grpc.Channel]:
    """Give a connection to the hub with a node's own certificate."""
    own = identity.load(state, now=datetime.now(UTC), command="")
    credentials = tls.channel_credentials(key=own.key, chain=own.chain, ca=own.ca)
    with grpc.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        yield channel


@dataclass(frozen=True, slots=True)
class Survived:
    """What became of a hub that was told nonsense."""

    clients: list[str]
    """Of the alerts in its store."""
    log: str


def besieged(folder: Path) -> Survived:
    """Say nonsense in every call, over a node's certificate and over none; then let a good node send."""
    dice = random.Random(7)
    folder.mkdir()
    log = folder / "eve.json"
    log.write_bytes(b"".join(lines("suricata", 1)))
    stage = Stage(folder / "stage")
    try:
        hub = stage.hub()
        hostile = stage.node(hub, "globex", "evil-1", Follow("suricata", folder / "none.json"), start=False)
        _abuse_streams(hostile.folder / "state", hub.address, dice)
        _abuse_enrolment(hostile.folder / "state", hub.enroll_address, dice)
        stage.node(hub, "acme", "acme-1", Follow("suricata", log))
        found = [alert["client"] for alert in hub.wait_for_alerts(1, "--source", "suricata")]
        return Survived(found, hub.program.log())
    finally:
        stage.end()


def _abuse_streams(state: Path, address: str, dice: random.Random) -> None:
    with node_channel(state, address) as channel:
        for number in range(STREAMS):
            method = METHODS[0] if number % 3 else dice.choice(METHODS)
            connect: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(method)
            call = connect(iter(list(messages(dice))), timeout=5)
            with suppress(grpc.RpcError):
                for _ in zip(call, range(3), strict=False):
                    pass
            call.cancel()


def _abuse_enrolment(state: Path, address: str, dice: random.Random) -> None:
    ca = identity.load(state, now=datetime.now(UTC), command="").ca
    credentials = tls.enrolment_channel_credentials(ca=ca)
    with grpc.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        enroll: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/socme.v1.Enrollment/Enroll"
        )
        for _ in range(8):
            request = EnrollRequest(
                secret=dice.randbytes(16), csr=dice.choice([*fuzzing.SEEDS["requests"], dice.randbytes(99)])
            )
            with pytest.raises(grpc.RpcError):
                enroll(dice.choice([request.SerializeToString(), dice.randbytes(30)]), timeout=5)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.play(of=besieged)
def test_a_hostile_node_and_strangers_do_not_hurt_the_hub(outcome: Survived) -> None:
    assert outcome.clients == ["acme"]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.play(of=besieged)
def test_nonsense_leaves_no_traceback_in_the_log(outcome: Survived) -> None:
    assert "Traceback" not in outcome.log
