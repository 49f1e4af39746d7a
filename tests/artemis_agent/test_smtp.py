"""Mail to a real server: encrypted, in time, and with words for what fails."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from artemis_agent import own_mail, smtp
from artemis_agent.owed import Refused
from artemis_agent.plan import MailServer
from artemis_agent.smtp import MailError
from tests.artemis_agent.glass import server_at
from tests.zeus_hub.receivers.post import PASSWORD, Office, Trust, served, trust

WHOM = ("b@client.example", "c@x.example")


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def trusted(tmp_path: Path) -> Trust:
    return trust(tmp_path)


@pytest.fixture
def mail() -> EmailMessage:
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    return own_mail.trial(node="acme/acme-1", sender="a@client.example", recipients=WHOM, now=now)


async def refusal(server: MailServer, mail: EmailMessage) -> tuple[Refused, ...]:
    with pytest.raises(MailError) as caught:
        await asyncio.to_thread(smtp.send, server, mail, WHOM)
    return caught.value.refused


async def failure(server: MailServer, mail: EmailMessage) -> str:
    with pytest.raises(MailError) as caught:
        await asyncio.to_thread(smtp.send, server, mail, WHOM)
    assert PASSWORD not in str(caught.value)
    return str(caught.value).replace(f"localhost:{server.port}", "HERE")


@asynccontextmanager
async def saying(*said: bytes, every: float = 0.0) -> AsyncIterator[int]:
    """Serve what says some words to whoever connects, one after the other, and then nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for each in said:
                writer.write(each)
                await writer.drain()
                await asyncio.sleep(every)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def before_connecting(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen in the thread that sends, before it connects."""
    connect = socket.create_connection

    def late(address: tuple[str, int], timeout: float, source: tuple[str, int] | None) -> socket.socket:
        happens()
        return connect(address, timeout, source)

    monkeypatch.setattr(socket, "create_connection", late)


async def test_mail_leaves_by_starttls_with_a_login(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage
) -> None:
    async with served(office, starttls=trusted.server) as port:
        server = server_at(port, tmp_path, trusted)
        assert await asyncio.to_thread(smtp.send, server, mail, WHOM) == ()
        await asyncio.to_thread(smtp.probe, server)

    assert office.encrypted == [True]
    assert office.users == [b"zeus", b"zeus"]
    assert office.recipients == [["b@client.example", "c@x.example"]]
    assert "can mail you" in office.mails[0].get_content()


async def test_mail_leaves_by_tls_and_in_clear_text_where_that_is_asked_for(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage
) -> None:
    async with served(office, tls=trusted.server) as port:
        server = replace(server_at(port, tmp_path, trusted), security="tls", user="")
        await asyncio.to_thread(smtp.send, server, mail, WHOM)
    async with served(office) as port:
        server = replace(server_at(port, tmp_path, trusted), security="none", user="")
        await asyncio.to_thread(smtp.send, server, mail, WHOM)

    assert len(office.mails) == 2


async def test_a_server_without_starttls_gets_neither_mail_nor_password(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage
) -> None:
    async with served(office) as port:
        told = await failure(server_at(port, tmp_path, trusted), mail)

    assert told.startswith("mail server HERE does not offer what the settings ask for: STARTTLS")
    assert not office.mails
    assert not office.users


async def test_a_server_that_is_not_trusted_gets_nothing(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage
) -> None:
    (tmp_path / "other").mkdir()
    async with served(office, starttls=trust(tmp_path / "other").server) as port:
        told = await failure(server_at(port, tmp_path, trusted), mail)

    assert told.startswith("mail server HERE is not trusted: ")
    assert not office.users


async def test_one_recipient_who_is_refused_does_not_keep_it_from_the_others(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage
) -> None:
    office.answers["c@x.example"] = "550 nobody of that name"
    async with served(office, starttls=trusted.server) as port:
        server = server_at(port, tmp_path, trusted)
        told = await asyncio.to_thread(smtp.send, server, mail, WHOM)
        office.answers["c@x.example"] = "451 not now"
        later = await asyncio.to_thread(smtp.send, server, mail, WHOM)
        office.answers["b@client.example"] = "550 gone"
        nobody = await failure(server, mail)
        each = await refusal(server, mail)
        office.answers["b@client.example"] = "421 I go"
        first = await refusal(server, mail)

    assert told == (Refused("c@x.example", "550 nobody of that name", again=False),)
    assert later == (Refused("c@x.example", "451 not now", again=True),)
    assert office.recipients == [["b@client.example"]] * 2
    assert nobody.startswith("mail server HERE takes none of the recipients: b@client.example: 550 gone; c@")
    assert [(told.who, told.again) for told in each] == [("b@client.example", False), ("c@x.example", True)]
    assert first == (Refused("b@client.example", "421 I go", again=True),)


async def test_a_wrong_password_is_told_without_it(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage
) -> None:
    async with served(office, starttls=trusted.server) as port:
        server = server_at(port, tmp_path, trusted)
        (tmp_path / "password").write_text("secret-guess")
        wrong = await failure(server, mail)
        (tmp_path / "password").write_text("")
        empty = await failure(server, mail)
        (tmp_path / "password").write_text("pässword")
        odd = await failure(server, mail)
        (tmp_path / "password").write_bytes(b"p\xe4ssword")
        old = await failure(server, mail)

    assert "does not let zeus log in: 535" in wrong
    assert "secret-guess" not in wrong
    assert "is empty" in empty
    assert odd == old == "the password must be plain ASCII"


async def test_a_server_that_asks_nonsense_at_the_login_is_told(
    tmp_path: Path, trusted: Trust, mail: EmailMessage
) -> None:
    """Nothing else comes of it: the agent ends by what escapes from here."""
    said = (b"220 here\r\n", b"250-here\r\n250 AUTH PLAIN\r\n", b"334 ok\r\n")
    async with saying(*said) as port:
        told = await failure(replace(server_at(port, tmp_path, trusted), security="none"), mail)

    assert told == "mail server HERE asks something at the login that is not base64: Incorrect padding"


async def test_a_host_that_cannot_be_one_is_told_as_that(
    tmp_path: Path, trusted: Trust, mail: EmailMessage
) -> None:
    """Python raises for it what it raises for a password, too."""
    told = await failure(replace(server_at(25, tmp_path, trusted), host="mail..example"), mail)

    assert told.startswith("mail server mail..example:25 cannot be reached: ")
    assert "idna" in told


async def test_what_is_not_there_or_no_mail_server_is_told(
    trusted: Trust, tmp_path: Path, mail: EmailMessage
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = server_at(port, tmp_path, trusted)
    assert (await failure(server, mail)).startswith("mail server HERE cannot be reached: ")
    assert "cannot be used" in await failure(replace(server, ca_file=tmp_path / "missing"), mail)
    async with saying(b"220 a \x1b[31mbad\r\n 500 \xff server\r\n") as talker:
        told = await failure(replace(server, port=talker, security="tls"), mail)
    assert "speaks no TLS" in told
    async with saying(b"554 no \x1b[31mservice\r\n") as talker:
        told = await failure(replace(server, port=talker), mail)
    assert "\x1b" not in told
    assert "554 no" in told


async def test_a_server_that_answers_drop_by_drop_is_hung_up_on(
    trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and the mail would take for ever."""
    monkeypatch.setattr(smtp, "ALL_SECONDS", 0.3)
    async with saying(b"220-", *[b"x"] * 1000, every=0.02) as port, asyncio.timeout(10):
        told = await failure(server_at(port, tmp_path, trusted), mail)

    assert "cannot be reached" in told


async def test_a_server_is_hung_up_on_however_long_it_took_to_find_it(
    trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its addresses some are dead, and the time for all of it is over before there is a connection."""
    before_connecting(monkeypatch, lambda: threading.Event().wait(0.5))
    monkeypatch.setattr(smtp, "ALL_SECONDS", 0.3)
    async with saying(b"220-", *[b"x"] * 1000, every=0.02) as port, asyncio.timeout(10):
        assert "timed out" in await failure(server_at(port, tmp_path, trusted), mail)


async def test_a_connection_that_took_long_leaves_the_server_its_time(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = [0.0]
    before_connecting(monkeypatch, lambda: spent.append(100))
    monkeypatch.setattr(smtp, "monotonic", lambda: time.monotonic() + sum(spent))
    async with served(office, starttls=trusted.server) as port:
        await asyncio.to_thread(smtp.send, server_at(port, tmp_path, trusted), mail, WHOM)

    assert len(office.mails) == 1


@pytest.mark.parametrize("said", [b"220-" + b"x" * 1000 + b"\r\n", b"220-\r\n" * 200])
async def test_a_server_that_has_no_end_of_things_to_say_is_hung_up_on(
    trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """All of it would be kept in memory until its last line."""
    monkeypatch.setattr(smtp, "STEP_SECONDS", 1.0)
    async with saying(*[said] * 70) as port:
        told = await failure(server_at(port, tmp_path, trusted), mail)

    assert "it says more than 65,536 bytes" in told


async def test_a_server_that_scans_a_mail_before_it_takes_it_is_waited_for(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the mail by then, and would get it again and again."""
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.7)
    monkeypatch.setattr(smtp, "ALL_SECONDS", 1.5)
    office.scan = 1.6
    async with served(office, starttls=trusted.server) as port:
        assert await asyncio.to_thread(smtp.send, server_at(port, tmp_path, trusted), mail, WHOM) == ()

    assert len(office.mails) == 1


async def test_a_server_that_scans_a_mail_for_ever_is_not_waited_for(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "TAKE_SECONDS", 0.3)
    office.scan = 20.0
    async with served(office, starttls=trusted.server) as port, asyncio.timeout(10):
        assert "timed out" in await failure(server_at(port, tmp_path, trusted), mail)


async def test_a_server_that_says_nothing_is_not_waited_for(
    trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.2)
    async with saying() as port, asyncio.timeout(10):
        assert "timed out" in await failure(server_at(port, tmp_path, trusted), mail)


async def test_a_server_that_takes_the_mail_and_no_farewell_has_it(
    office: Office, trusted: Trust, tmp_path: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "STEP_SECONDS", 0.5)
    office.mute = True
    async with served(office, starttls=trusted.server) as port:
        assert await asyncio.to_thread(smtp.send, server_at(port, tmp_path, trusted), mail, WHOM) == ()

    assert len(office.mails) == 1
