"""A token works once, in time, for what it was made for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from socme.errors import OperatorError
from socme.spiffe import Role
from tests.zeus_hub.engines import opened
from zeus_hub import database, registry
from zeus_hub.database import reading
from zeus_hub.roll import find_holder
from zeus_hub.tokens import Admission, Certified, Grant, Refusal, create_token, redeem_token

pytestmark = pytest.mark.usefixtures("both")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GRANT = Grant(Role.NODE, "n1", client="acme")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = opened(tmp_path)
    registry.add_client(made, "acme", now=NOW)
    return made


def _certify(grant: Grant) -> Certified:
    return Certified(b"pem", grant.name.encode(), NOW + timedelta(days=365))


def _redeem(
    engine: Engine, secret: bytes, role: Role = Role.NODE, now: datetime = NOW
) -> Admission | Refusal:
    return redeem_token(engine, secret, role, now=now, certify=_certify)


def test_a_token_admits_what_it_was_made_for_once(engine: Engine) -> None:
    secret, expires = create_token(engine, GRANT, lifetime=HOUR, now=NOW)

    assert expires == NOW + HOUR
    assert _redeem(engine, secret) == Admission(GRANT, _certify(GRANT))
    assert _redeem(engine, secret) is Refusal.USED
    holder = find_holder(engine, b"n1")
    assert holder is not None
    assert (holder.role, holder.client, holder.name) == (Role.NODE, "acme", "n1")


def test_of_many_at_once_one_is_admitted(engine: Engine) -> None:
    secret, _ = create_token(engine, GRANT, lifetime=HOUR, now=NOW)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: _redeem(engine, secret), range(8)))

    assert sorted(answer is Refusal.USED for answer in answers) == [False] + [True] * 7


def test_a_display_sees_what_its_token_says(engine: Engine) -> None:
    for clients in (frozenset({"acme"}), frozenset[str](), None):
        grant = Grant(Role.DISPLAY, "wall", clients=clients)
        secret, _ = create_token(engine, grant, lifetime=HOUR, now=NOW)

        assert _redeem(engine, secret, Role.DISPLAY) == Admission(grant, _certify(grant))
        assert registry.list_watchers(engine)[0].clients == clients


def test_each_reason_to_refuse_has_its_name(engine: Engine) -> None:
    secret, _ = create_token(engine, GRANT, lifetime=HOUR, now=NOW)

    assert _redeem(engine, b"wrong") is Refusal.UNKNOWN
    assert _redeem(engine, secret, Role.DISPLAY) is Refusal.OTHER_ROLE
    assert _redeem(engine, secret, now=NOW + HOUR) is Refusal.EXPIRED
    registry.disable_client(engine, "acme")
    assert _redeem(engine, secret) is Refusal.CLIENT_DISABLED
    registry.enable_client(engine, "acme")
    assert isinstance(_redeem(engine, secret), Admission), "no refusal uses a token up"


def test_a_token_stays_good_where_no_certificate_could_be_made(engine: Engine) -> None:
    def fail(grant: Grant) -> Certified:
        raise ValueError(grant.name)

    secret, _ = create_token(engine, GRANT, lifetime=HOUR, now=NOW)
    with pytest.raises(ValueError, match="n1"):
        redeem_token(engine, secret, Role.NODE, now=NOW, certify=fail)

    assert isinstance(_redeem(engine, secret), Admission)


def test_the_secret_is_not_kept(engine: Engine) -> None:
    secret, _ = create_token(engine, GRANT, lifetime=HOUR, now=NOW)
    with reading(engine) as connection:
        (row,) = connection.execute(select(database.token)).all()

    assert len(secret) == 16
    assert secret not in row


@pytest.mark.parametrize(
    ("grant", "words"),
    [
        (Grant(Role.NODE, "n1", client="nobody"), "no client"),
        (Grant(Role.NODE, "../n1", client="acme"), "cannot be the name of a node"),
        (Grant(Role.DISPLAY, "Wall"), "cannot be the name of a display"),
        (Grant(Role.DISPLAY, "wall", clients=frozenset({"nobody"})), "no client"),
    ],
)
def test_a_token_for_nonsense_is_not_made(engine: Engine, grant: Grant, words: str) -> None:
    with pytest.raises(OperatorError, match=words):
        create_token(engine, grant, lifetime=HOUR, now=NOW)


def test_a_disabled_client_gets_no_token(engine: Engine) -> None:
    registry.disable_client(engine, "acme")
    with pytest.raises(OperatorError, match="disabled"):
        create_token(engine, GRANT, lifetime=HOUR, now=NOW)
