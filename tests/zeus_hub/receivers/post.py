"""A real mail server for tests, which does what it is told."""

# ruff: noqa: D102 - aiosmtpd names them

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certificates import Authority, _pem, make_authority

USER, PASSWORD = "zeus", "correct horse"


@dataclass
class Office:
    """What a mail server took, and what it answers: by command, or by recipient."""

    answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[Sequence[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[bytes] = field(default_factory=list)
    hang: bool = False
    thinks: float = 0.0
    """Seconds for which it looks through a mail."""
    slow: float = 0.0
    """Seconds before each answer to a mail's sender or recipient."""
    scan: float = 0.0
    """Seconds from the end of a mail, which it has then, to its answer."""
    cut: bool = False
    mute: bool = False
    """It has nothing to say to a farewell."""
    names: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """For whom it was asked to take mail."""
    options: list[list[str]] = field(default_factory=list)
    """What else it was told with each sender."""
    old: bool = False
    """It knows HELO alone."""

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.slow)
        envelope.mail_from = address
        self.options.append(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.slow)
        self.asked.append(address)
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.hang:
            await asyncio.Event().wait()
        await asyncio.sleep(self.thinks)
        answer = self.answers.get("DATA", "250 taken")
        if answer.startswith("250"):
            content = cast("bytes", envelope.content)
            self.mails.append(message_from_bytes(content, policy=default))
            self.recipients.append(envelope.rcpt_tos)
            self.encrypted.append(session.ssl is not None)
        await asyncio.sleep(self.scan)
        if self.cut:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return answer

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.names.append(hostname)
        return ["502 5.5.2 no such command"] if self.old else responses

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.mute:
            await asyncio.Event().wait()
        return "221 bye"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, kind: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login)
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)


@dataclass(frozen=True)
class Trust:
    """A certificate authority of the tests, and a server's certificate by it."""

    ca_file: Path
    server: ssl.SSLContext


def trust(folder: Path, *, name: str = "localhost", authority: Authority | None = None) -> Trust:
    """Return what a server and those who trust it need."""
    made = authority or make_authority()
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "ca.pem").write_bytes(made.pem)
    (folder / "chain.pem").write_bytes(made.sign(key.public_key(), x509.DNSName(name)))
    (folder / "key.pem").write_bytes(_pem(key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return Trust(folder / "ca.pem", context)


@asynccontextmanager
async def served(
    office: Office, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve on loopback; yield the port."""
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            office,
            hostname="localhost",
            loop=loop,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=office.authenticate,
            auth_require_tls=True,
        )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
