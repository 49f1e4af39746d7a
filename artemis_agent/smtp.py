"""One mail handed to one server, by the standard library. Blocks, but never for ever.

The hub's mail goes by aiosmtplib. A node sends a few mails in its life, so what Python brings along does: it
costs no package and, imported when the first mail is sent, no memory at rest. It leaves three things to us:
to hang up on a server that answers drop by drop or without end, to give one that scans a mail its time, and
to say what failed in words without a secret.
"""

import binascii
import io
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from artemis_agent.owed import Refused, words
from artemis_agent.plan import MailServer
from socme.text import clean
from socme.trust import trusting

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

STEP_SECONDS = 15.0  # for a connection to each of the server's addresses, and for each answer
ALL_SECONDS = 45.0  # for all answers from the connection on, but for that to the mail
# For the answer to the mail. A server that scans a mail before it answers has it by then, and who does not
# wait sends it again and again; RFC 5321 (4.5.3.2.6) asks for ten minutes.
TAKE_SECONDS = 300.0
MOST_BYTES = 64 * 1024  # that a server says before TLS, and behind it
LONGEST_ANSWER = 200  # characters of what a server says
LONGEST_SECRET = 1024  # bytes
_TRANSIENT = 4  # the first digit of an answer that may be another later


class MailError(Exception):
    """Why a mail did not leave, for people."""

    def __init__(self, reason: str, refused: Sequence[Refused] = ()) -> None:
        super().__init__(reason)
        self.refused = tuple(refused)
        """Whom the server does not take by its own words; it may have hung up before it came to all."""


class _Ear(io.RawIOBase):
    """What a server says: in time, and not more than anybody has to say."""

    def __init__(self, held: socket.socket, end: float) -> None:
        self.end = end
        """By when all is to be said."""
        self.step = STEP_SECONDS
        self._held = held
        self._left = MOST_BYTES

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Wait for what is said next; raise OSError where that is too late or too much."""
        left = self.end - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._held.settimeout(min(self.step, left))
        size = self._held.recv_into(buffer)
        self._left -= size
        if self._left < 0:
            raise OSError(f"it says more than {MOST_BYTES:,} bytes")
        return size


class _Client(smtplib.SMTP):
    """Waits for an answer as long as is due."""

    _ear: _Ear | None = None

    def getreply(self) -> tuple[int, bytes]:
        """Return the next answer."""
        if self.file is None and self.sock is not None:  # a new connection, or TLS has begun on it
            # The time runs from here: what the look-up and dead addresses took is not the server's doing.
            end = self._ear.end if self._ear else monotonic() + ALL_SECONDS
            self._ear = _Ear(self.sock, end)
            self.file = io.BufferedReader(self._ear)
        return super().getreply()

    def send(self, s: "ReadableBuffer | str") -> None:
        """Send a command; or a mail, which alone is bytes."""
        super().send(s)
        if not isinstance(s, str):
            self._wait(TAKE_SECONDS)

    def data(self, msg: "ReadableBuffer | str") -> tuple[int, bytes]:
        """Hand in a mail."""
        answer = super().data(msg)
        self._wait(STEP_SECONDS)  # for the farewell, or for taking back what was refused
        return answer

    def _wait(self, seconds: float) -> None:
        assert self._ear is not None  # noqa: S101 - nothing is sent before the server's greeting
        self._ear.step, self._ear.end = seconds, monotonic() + seconds


class _SecureClient(_Client, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""


def send(server: MailServer, mail: EmailMessage, whom: Sequence[str]) -> tuple[Refused, ...]:
    """Hand in a mail for some; return who of them does not get it. Raise MailError where nobody does."""
    with _session(server) as client:
        return _refused(client.send_message(mail, to_addrs=whom))


def probe(server: MailServer) -> None:
    """Come as far as a mail could be handed in; raise MailError."""
    with _session(server) as client:
        client.noop()


@contextmanager
def _session(server: MailServer) -> Iterator[smtplib.SMTP]:
    try:
        client = _open(server)
        try:
            if server.user:
                client.login(server.user, _password(server.password_file))
            yield client
            with suppress(
                smtplib.SMTPException, OSError
            ):  # whatever becomes of the farewell, it has the mail
                client.quit()
        finally:
            client.close()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        what = _answered(server, error) if isinstance(error, smtplib.SMTPException) else _broken(error)
        refused = _refused(error.recipients) if isinstance(error, smtplib.SMTPRecipientsRefused) else ()
        raise MailError(f"mail server {server.host}:{server.port} {what}", refused) from error


def _answered(server: MailServer, error: smtplib.SMTPException) -> str:
    """Say what a server's answer means."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return f"takes none of the recipients: {words(_refused(error.recipients))}"
        case smtplib.SMTPAuthenticationError():
            return f"does not let {server.user} log in: {_answer(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPNotSupportedError():
            return f"does not offer what the settings ask for: {_clean(str(error))}"
        case smtplib.SMTPResponseException():
            return f"refuses: {_answer(error.smtp_code, error.smtp_error)}"
    return _broken(error)


def _broken(error: OSError | ValueError) -> str:
    """Say what broke on the way."""
    if isinstance(error, binascii.Error):
        return f"asks something at the login that is not base64: {_clean(str(error))}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"is not trusted: {_clean(error.verify_message)}"
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return f"speaks no TLS on this port: {_clean(str(error.reason or error))}"
    return f"cannot be reached: {_clean(str(error) or type(error).__name__)}"


def _open(server: MailServer) -> smtplib.SMTP:
    """Return a client that is as secure as is asked for; no secret was sent yet."""
    who: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "timeout": STEP_SECONDS,
        "local_hostname": "[127.0.0.1]",  # a name would be asked of the DNS, which may be away as the hub is
    }
    if server.security == "none":
        return _Client(**who)
    trust = _trust(server.ca_file)
    if server.security == "tls":
        return _SecureClient(**who, context=trust)
    client = _Client(**who)
    try:
        client.starttls(context=trust)  # raises where it is not offered
    except BaseException:
        client.close()
        raise
    return client


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return trusting(ca_file)
    except OSError as error:  # a missing file, or one without certificates
        raise MailError(f"{ca_file} cannot be used: {error.strerror or error}") from error


def _password(path: Path | None) -> str:
    assert path is not None  # noqa: S101 - the settings give both or none
    try:
        with path.open("rb") as file:
            secret = file.read(LONGEST_SECRET + 1).strip()
    except OSError as error:
        raise MailError(f"{path} cannot be read: {error.strerror}") from error
    if not secret or len(secret) > LONGEST_SECRET:
        raise MailError(f"{path} is {'too long' if secret else 'empty'}: put the password there, alone")
    if not secret.isascii():
        raise MailError("the password must be plain ASCII")
    return secret.decode("ascii")


def _refused(answers: Mapping[str, tuple[int, bytes]]) -> tuple[Refused, ...]:
    return tuple(
        Refused(who, _answer(code, said), again=code // 100 == _TRANSIENT)
        for who, (code, said) in answers.items()
    )


def _answer(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {_clean(text)}"


def _clean(text: str) -> str:
    return clean(" ".join(text.split()), LONGEST_ANSWER)
