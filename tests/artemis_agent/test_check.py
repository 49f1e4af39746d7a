"""`artemis check`: a line for everything, and for everything that is wrong what to do."""

import asyncio
import os
import random
import socket
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from artemis_agent import check as checking
from artemis_agent import status
from artemis_agent.check import Line, check
from artemis_agent.config import SourceSettings
from artemis_agent.file_identity import Position, encode
from artemis_agent.source import Kind
from artemis_agent.spool import Progress, Waiting, open_spool
from artemis_agent.status import Connection
from socme import identity, tls
from socme.v1.alert_pb2 import Alert
from socme.v1.vitals_pb2 import SpoolVitals
from tests.artemis_agent.sources import eve, wazuh
from tests.certificates import Authority, make_authority


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


class Health(grpc.GenericRpcHandler):
    """Answers Health.Check as prepared."""

    def __init__(self, answer: bytes = b"\x08\x01", refusal: str = "") -> None:
        self._answer = answer
        self._refusal = refusal

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """Serve one method."""
        if details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self._check)

    async def _check(self, _request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        if self._refusal:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, self._refusal)
        return self._answer


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "artemis.toml"
    path.write_text('state_dir = "state"\n[[source]]\nkind = "suricata"\npath = "eve.json"\n')
    (tmp_path / "eve.json").write_bytes(eve(1) + b"\n")
    return path


def enrol(config: Path, authority: Authority, port: int) -> Path:
    state_dir = config.parent / "state"
    identity.save(state_dir, authority.node(f"127.0.0.1:{port}"))
    return state_dir


async def checked(config: Path, authority: Authority, health: Health) -> list[Line]:
    """Return the lines of a check against a hub."""
    server = grpc.aio.server(options=tls.SERVER_OPTIONS)
    server.add_generic_rpc_handlers((health,))
    leaf = authority.server()
    credentials = tls.mutual_server_credentials(key=leaf.key, chain=leaf.chain, ca=authority.pem)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    if not identity.folder(config.parent / "state").exists():
        enrol(config, authority, port)
    else:
        state_dir = config.parent / "state"
        own = identity.load(state_dir, now=identity.utc_now(), command="")
        identity.save(state_dir, replace(own, hub_address=f"127.0.0.1:{port}"))
    lines = await asyncio.to_thread(lambda: list(check(config)))
    await server.stop(None)
    return lines


def failures(lines: list[Line]) -> list[str]:
    return [str(line) for line in lines if not line.ok]


async def test_all_is_well(config: Path, authority: Authority) -> None:
    lines = await checked(config, authority, Health())

    assert failures(lines) == []
    text = "\n".join(map(str, lines))
    for words in (
        "settings",
        "state folder",
        "suricata source",
        "spool",
        "identity acme/acme-1, good until",
        "hub",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (Health(refusal="acme/acme-1 was revoked"), "acme/acme-1 was revoked"),
        (Health(answer=b"\x08\x02"), "not serving"),
    ],
)
async def test_a_hub_that_does_not_want_us(
    config: Path, authority: Authority, health: Health, words: str
) -> None:
    (failure,) = failures(await checked(config, authority, health))

    assert words in failure


async def test_a_hub_that_refuses_the_certificate(config: Path, authority: Authority) -> None:
    """TLS tells a plain client why; gRPC would say that a socket was closed."""
    stranger = make_authority().node("127.0.0.1:1")
    identity.save(config.parent / "state", replace(stranger, ca=authority.pem))

    (failure,) = failures(await checked(config, authority, Health()))

    assert "does not take this certificate" in failure


async def test_another_hub(config: Path, authority: Authority) -> None:
    identity.save(config.parent / "state", authority.node("127.0.0.1:1"))

    (failure,) = failures(await checked(config, make_authority(), Health()))

    assert "not the hub that this node was enrolled at" in failure


def test_a_hub_that_is_down(config: Path, authority: Authority) -> None:
    enrol(config, authority, 1)

    (failure,) = failures(list(check(config)))

    assert failure.startswith("FAIL  hub 127.0.0.1:1: cannot be reached: connection refused → ")


def test_a_hub_that_nobody_knows(config: Path, authority: Authority) -> None:
    enrol(config, authority, 1)
    config.write_text('hub_address = "no-such-host.invalid:1"\n' + config.read_text())

    (failure,) = failures(list(check(config)))

    assert "no-such-host.invalid:1: cannot be reached: the host name is not known" in failure


def test_a_hub_that_says_nothing(config: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        enrol(config, authority, silent.getsockname()[1])

        (failure,) = failures(list(check(config)))

    assert "no answer" in failure


def test_bad_settings(tmp_path: Path) -> None:
    (line,) = check(tmp_path / "missing.toml")
    assert str(line).startswith("FAIL  there is no settings file")

    config = tmp_path / "artemis.toml"
    config.write_text("nonsense = 1\n")
    (line,) = check(config)
    assert "nonsense" in str(line)
    assert "\n" not in str(line)


def test_not_enrolled(config: Path) -> None:
    told = failures(list(check(config)))

    assert any("state folder" in line and "is missing" in line for line in told)
    assert any("not enrolled" in line and "artemis enroll TOKEN" in line for line in told)


def test_key_and_certificate_of_two_enrolments(config: Path, authority: Authority) -> None:
    """Copied together by hand from backups, for one."""
    one, other = authority.node("127.0.0.1:1"), authority.node("127.0.0.1:1")
    line = checking._check_identity(replace(one, key=other.key))

    assert "do not belong together" in str(line)
    assert checking._check_identity(one).ok
    assert "damaged" in str(checking._check_identity(replace(one, chain=b"nonsense")))
    assert "display" in str(checking._check_identity(replace(one, role="display")))


def test_a_certificate_that_ends_soon(authority: Authority) -> None:
    own = authority.node("127.0.0.1:1")

    line = checking._check_identity(replace(own, expires=identity.utc_now() + checking.EXPIRES_SOON / 2))

    assert "expires on" in str(line)


def test_sources(tmp_path: Path) -> None:
    """Missing, a folder, of the other kind, empty, and nothing yet that tells."""

    def told(path: Path, kind: Kind = "suricata") -> str:
        return str(checking._check_source(SourceSettings(kind=kind, path=path), path))

    path = tmp_path / "log"
    assert "there is no such file → start Suricata" in told(path)
    assert told(tmp_path / "missing" / "log").startswith("FAIL")
    assert "not a regular file" in told(tmp_path)
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for its writer for ever
    assert "not a regular file" in told(tmp_path / "pipe")
    path.write_bytes(b"")
    assert told(path, "wazuh").startswith("ok")
    path.write_bytes(b"noise\n")
    assert told(path).startswith("ok")
    path.write_bytes(wazuh(1) + b"\n")
    assert told(path, "wazuh").startswith("ok")
    assert 'set kind = "wazuh"' in told(path)
    assert 'set kind = "wazuh"' in told(tmp_path / "l*")
    assert "there is no such file → start Suricata" in told(tmp_path / "eve-%Y.json")


def test_who_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing on the way that is closed is named, and the group that may pass."""
    folder = tmp_path / "logs"
    folder.mkdir()
    monkeypatch.setattr(checking, "_may_pass", lambda each, _path: each != folder)

    mend = checking._permission_mend(folder / "alerts.json", "wazuh")

    assert mend.startswith(f"{folder} is closed to ")
    if os.getgid() == 0:  # the folder's group is root's, which nobody should join
        assert "usermod -aG wazuh" in mend


async def test_a_spool_in_use_and_a_clock_that_is_off(config: Path, authority: Authority) -> None:
    state_dir = enrol(config, authority, 1)
    spool = open_spool(state_dir, max_bytes=1 << 30)
    link = Connection("127.0.0.1:1", "connected", None, None, "", "", clock_offset_seconds=-3600.5)
    status.tell(state_dir, link, [], SpoolVitals(), "")

    lines = [str(line) for line in check(config)]

    assert "ok    spool: 0 alerts wait, artemis runs" in lines
    assert any("clock: the hub's is 3600.5 s behind → " in line for line in lines)
    status.tell(state_dir, replace(link, clock_offset_seconds=0.5), [], SpoolVitals(), "")
    assert "ok    clock: the hub's is 0.5 s ahead" in [str(line) for line in check(config)]
    await spool.close()


async def test_a_spool_that_needs_care(
    config: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearly full, not to be written, with alerts that nobody can account for, or set aside."""
    state_dir = enrol(config, authority, 1)
    monkeypatch.setenv("ARTEMIS_SPOOL__MAX_BYTES", "1048576")
    spool = open_spool(state_dir, max_bytes=1 << 30)
    noise, start = random.Random(1).randbytes(900_000), encode(Position(files=()))
    await spool.append(
        Progress("eve", start, b"", [Waiting(Alert(raw=noise).SerializeToString())], {"read": 1})
    )
    link = Connection("127.0.0.1:1", "connected", None, None, "", "", None)
    status.tell(state_dir, link, [], SpoolVitals(problem="the disk is full", unaccounted=2), "")
    for name in ("spool.db.damaged-1", "spool.db.damaged-1-wal"):
        (state_dir / name).touch()

    told = [str(line) for line in check(config) if "  spool" in str(line)]

    assert [line.partition(" → ")[0] for line in told] == [
        "FAIL  spool: 1 alerts wait, artemis runs, 86% full",
        "FAIL  spool: it cannot be written: the disk is full",
        "FAIL  spool: 2 alerts are unaccounted for",
        f"FAIL  spool: a damaged one was set aside at {state_dir}/spool.db.damaged-1",
    ]
    await spool.close()


def test_each_of_several_hubs_is_tried(config: Path, authority: Authority) -> None:
    enrol(config, authority, 1)
    config.write_text('hub_address = ["127.0.0.1:1", "127.0.0.1:2"]\n' + config.read_text())

    hubs = [str(line) for line in check(config) if "hub 127" in str(line)]

    assert [line.partition(": cannot")[0] for line in hubs] == [
        "FAIL  hub 127.0.0.1:1",
        "FAIL  hub 127.0.0.1:2",
    ]
