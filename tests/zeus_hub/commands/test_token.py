"""The commands under `zeus token`."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from sqlalchemy import select

from socme import token
from socme.errors import OperatorError
from socme.spiffe import Role
from socme.v1.enrollment_pb2 import ROLE_DISPLAY, ROLE_NODE
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.engines import opened
from zeus_hub import database, local
from zeus_hub.tokens import Admission, Certified, Grant, redeem_token

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def hub(place: Place) -> Place:
    """Return a hub with the clients acme and beta, which never ran."""
    place.set_up('public_address = "zeus.example:8443"').database().dispose()
    return place


def redeem(place: Place, secret: bytes, role: Role) -> Grant:
    """Trade a token as the hub does; return what it was good for."""
    engine = opened(place.state_dir)
    now = datetime.now(UTC)
    found = redeem_token(
        engine, secret, role, now=now, certify=lambda _: Certified(b"", hashlib.sha256(secret).digest(), now)
    )
    engine.dispose()
    assert isinstance(found, Admission)
    return found.grant


def test_a_nodes_token_is_one_line_that_carries_all(hub: Place) -> None:
    """It works before the hub ever ran: the CA is made for it."""
    result = hub.try_("token", "create", "--client", "acme", "--node", "acme-1")

    assert result.stdout.count("\n") == 1
    made = token.decode(result.stdout)
    ca = x509.load_pem_x509_certificate((hub.state_dir / "ca/certificate.pem").read_bytes())
    assert made.hub_address == "zeus.example:8443"
    assert made.enrollment_address == "zeus.example:8444"
    assert made.ca_sha256 == ca.fingerprint(ca.signature_hash_algorithm or pytest.fail("no hash"))
    assert made.role == ROLE_NODE
    assert redeem(hub, made.secret, Role.NODE) == Grant(Role.NODE, "acme-1", client="acme")


def test_what_to_do_with_it_is_no_part_of_it(hub: Place) -> None:
    result = hub.try_("token", "create", "--client", "acme", "--node", "acme-1")

    assert "artemis enroll" in result.stderr
    assert result.stdout.strip() not in result.stderr


def test_a_screen_sees_all_or_some(hub: Place) -> None:
    every = token.decode(hub.run("token", "create", "--display", "lobby"))
    some = token.decode(
        hub.run("token", "create", "--display", "desk", "--client", "acme", "--client", "beta")
    )

    assert every.role == some.role == ROLE_DISPLAY
    assert redeem(hub, every.secret, Role.DISPLAY) == Grant(Role.DISPLAY, "lobby")
    assert redeem(hub, some.secret, Role.DISPLAY).clients == frozenset({"acme", "beta"})


def test_a_lobbys_screen_is_redacted_and_only_a_screen_is(hub: Place) -> None:
    made = token.decode(hub.run("token", "create", "--display", "lobby", "--redact"))
    refused = hub.try_("token", "create", "--client", "acme", "--node", "n", "--redact")

    assert redeem(hub, made.secret, Role.DISPLAY) == Grant(Role.DISPLAY, "lobby", redacted=True)
    assert (refused.exit_code, "it is for screens" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("valid", "length"), [([], timedelta(hours=24)), (["--valid", "30m"], timedelta(minutes=30))]
)
def test_how_long_it_is_good(hub: Place, valid: list[str], length: timedelta) -> None:
    made = token.decode(hub.run("token", "create", "--client", "acme", "--node", "n", *valid))

    left = made.expires.ToDatetime(UTC) - datetime.now(UTC)
    assert length - timedelta(minutes=1) < left <= length


def test_as_json(hub: Place) -> None:
    (made,) = hub.objects("token", "create", "--client", "acme", "--node", "acme-1", "--json")

    carried = token.decode(made["token"])
    assert (made["role"], made["name"], made["clients"]) == ("node", "acme-1", ["acme"])
    assert made["hub_address"] == carried.hub_address
    assert made["ca_sha256"] == carried.ca_sha256.hex()
    assert datetime.fromisoformat(made["expires"]) == carried.expires.ToDatetime(UTC)


def test_the_ports_of_a_running_hub_are_taken(place: Place) -> None:
    """Where the settings leave them to the system."""
    place.set_up('listen = "127.0.0.1:0"').database().dispose()
    arguments = ["token", "create", "--client", "acme", "--node", "n"]

    with pytest.raises(OperatorError, match="nobody knows yet which port"):
        place.try_(*arguments)

    local.write_addresses(place.state_dir, local.Addresses("127.0.0.1:4001", "127.0.0.1:4002"))
    made = token.decode(place.run(*arguments))
    assert (made.hub_address, made.enrollment_address) == ("127.0.0.1:4001", "127.0.0.1:4002")


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--client acme",
        "--node n",
        "--node n --client acme --client beta",
        "--node n --display d",
        "--client acme --node n --valid soon",
    ],
)
def test_wrong_usage(hub: Place, arguments: str) -> None:
    assert hub.try_("token", "create", *arguments.split()).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--client nobody --node n", "there is no client 'nobody'"),
        ("--display d --client nobody", "there is no client 'nobody'"),
        ("--client acme --node N!", "cannot be the name"),
    ],
)
def test_names_that_cannot_be_are_told_and_leave_no_token(hub: Place, arguments: str, told: str) -> None:
    with pytest.raises(OperatorError, match=told):
        hub.try_("token", "create", *arguments.split())

    engine = opened(hub.state_dir)
    with database.reading(engine) as connection:
        assert connection.execute(select(database.token)).all() == []
    engine.dispose()
