"""Telling people by mail: one SMTP session for each message, encrypted unless the settings say otherwise.

Whom the server puts off (greylisting, too many recipients at a time) gets the message later, alone.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from socme.errors import OperatorError
from socme.identity import utc_now
from socme.text import clean
from socme.trust import trusting
from zeus_hub.notice import Notice
from zeus_hub.receivers.contract import DownError, Receipt, RefusedError
from zeus_hub.receivers.letter import address, compose
from zeus_hub.receivers.remainder import Answer, Remainders, is_for_good
from zeus_hub.receivers.wording import Wording, Words

LONGEST_ANSWER = 300  # characters of what a server says
MAIL_SECONDS = 345.0  # for one mail: all limits of MailSettings, and some more
QUIT = 1.0  # seconds for a farewell; the mail has been taken by then
PUT_OFF = 60.0  # seconds before whom a server puts off is tried again; greylisting takes minutes

Security = Literal["starttls", "tls", "none"]

_AUTHENTICATION = {530, 534, 535, 538}  # a login is wanted, or of another kind, or was wrong
_TOO_LARGE = 552
_FULL_NAME = re.compile(r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+")
# A connection that ends in the middle of TLS is cut, not misconfigured.
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """How mail leaves the hub."""

    host: str
    port: int
    security: Security = "starttls"
    """ "starttls": encrypted before anything is said, or not at all. "tls": encrypted from the first byte.
    "none": in the clear, for a server on the same machine; it takes no password."""
    user: str = ""
    """Empty: no login."""
    password: str = field(default="", repr=False)
    sender: str
    recipients: tuple[str, ...]
    ca_file: Path | None = None
    """Certificates of those who vouch for the server, PEM. None: the system's."""
    seconds: float = 30.0
    """How long one mail may take until the server has been told of it."""
    answer_seconds: float = 300.0
    """How long the server may then take to look through it: where it is given up before it answers, people
    get the mail each time. RFC 5321, 4.5.3.2.6, asks for ten minutes; all other mails wait meanwhile."""


class Mail:
    """A Receiver. `name` is what people know it by. Raises OperatorError for settings that cannot work."""

    def __init__(
        self,
        name: str,
        settings: MailSettings,
        wording: Wording,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._settings = settings
        self._wording = wording
        self._now = now
        try:
            self._sender = address(settings.sender)
            self._recipients = [address(each) for each in settings.recipients]
        except ValueError as error:
            raise OperatorError(f"{name}: {error}", "Write it without a name.") from error
        if not self._recipients:
            raise OperatorError(f"{name}: nobody would get its mail", "Give recipients.")
        if settings.security == "none" and settings.user:
            raise OperatorError(
                f"{name}: a password would travel in the clear", 'Set security to "starttls" or "tls".'
            )
        self._tls = _trust(name, settings)
        self._remainders = Remainders([each.addr_spec for each in self._recipients], clock)

    async def send(self, notice: Notice) -> Receipt:
        """Mail a notice. Sent again, it has the same Message-ID; more than that SMTP does not offer."""
        words = self._wording.of(notice)
        return await self.post(words, key=f"{notice.group}.{notice.number}", thread=f"{notice.group}.1")

    async def test(self) -> str:
        """Send a mail that says that it is a test."""
        key = f"test.{self._now():%Y%m%d%H%M%S%f}"
        receipt = await self.post(self._wording.test(self._name), key=key)
        told = f"{self._settings.host} took a test message for {', '.join(self._settings.recipients)}"
        return "; ".join((told, *receipt.warnings))

    async def post(self, words: Words, *, key: str, thread: str = "") -> Receipt:
        """Mail any words; `key` is theirs alone. Raises as send() does."""
        mail = compose(words, self._sender, self._recipients, self._now(), key=key, thread=thread)
        group = thread or key
        left = self._remainders.of(group, key)
        refused = await self._deliver(mail.as_bytes(), left.recipients)
        left = self._remainders.note(group, key, left, {each.recipient: _said(each) for each in refused})
        if left.recipients:
            raise self._put_off([each for each in refused if each.recipient in left.recipients])
        return Receipt(str(mail["Message-ID"]), (*words.warnings, *left.lost))

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _deliver(self, mail: bytes, recipients: Sequence[str]) -> list[SMTPRecipientRefused]:
        """Mail to some people; return whom the server does not accept. Raise where it accepts none of all."""
        client = self._client()
        try:
            async with self._within(self._settings.seconds):
                await self._connect(client)
                refused = await self._announce(client, len(mail), recipients)
            if len(refused) < len(recipients):
                async with self._within(self._settings.answer_seconds):
                    await self._hand_over(client, mail)
            elif len(refused) == len(self._recipients):
                raise self._nobody(refused)
            await _farewell(client)
        finally:
            client.close()
        return refused

    @property
    def _server(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _client(self) -> SMTP:
        settings = self._settings
        return SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=_own_name(),
            username=settings.user or None,
            password=settings.password if settings.user else None,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",  # None would fall back to clear text
            tls_context=self._tls,
            timeout=settings.seconds,
        )

    async def _connect(self, client: SMTP) -> None:
        """Begin a session that is encrypted and logged in, as the settings say."""
        try:
            await client.connect()
        except SMTPResponseException as error:
            raise self._turned_away(error) from error
        except (SMTPException, OSError) as error:
            raise self._broken(error) from error

    async def _announce(
        self, client: SMTP, size: int, recipients: Sequence[str]
    ) -> list[SMTPRecipientRefused]:
        """Tell the server for whom there is a mail; return those whom it does not accept."""
        refused = []
        with self._judging():
            if client.is_ehlo_or_helo_needed:  # else only MAIL would say it, and nothing be known before
                with suppress(SMTPHeloError):  # then MAIL says HELO
                    await client.ehlo()
            options = [f"size={size}"] if client.supports_extension("size") else []
            await client.mail(self._sender.addr_spec, options=options)
            for each in recipients:
                try:
                    await client.rcpt(each)
                except SMTPRecipientRefused as error:
                    refused.append(error)
        return refused

    async def _hand_over(self, client: SMTP, mail: bytes) -> None:
        """Give a mail to the server."""
        with self._judging():
            await client.data(mail, timeout=None)  # whoever calls has a limit

    @asynccontextmanager
    async def _within(self, seconds: float) -> AsyncIterator[None]:
        """Give the server so much time."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise DownError(f"{self._server} did not take the mail within {seconds:g} s") from error

    @contextmanager
    def _judging(self) -> Iterator[None]:
        """Say what it means where there is a mail and the server, or the way to it, does not do its part."""
        try:
            yield
        except SMTPResponseException as error:
            raise self._answered(error) from error
        except (SMTPException, OSError) as error:
            raise self._broken(error) from error

    def _turned_away(self, error: SMTPResponseException) -> DownError:
        """Say what an answer means that came before there was a mail: no mail is to blame for it."""
        if error.code in _AUTHENTICATION:
            user = f" as {self._settings.user}" if self._settings.user else ""
            return self._wrong(f"does not let SOCme log in{user}: {_answer(error)}")
        return self._down(error, misconfigured=is_for_good(error.code))

    def _answered(self, error: SMTPResponseException) -> DownError | RefusedError:
        """Say what an answer to a mail means."""
        if error.code in _AUTHENTICATION:
            return self._wrong(f"wants a login: {_answer(error)}")
        if isinstance(error, SMTPSenderRefused) and error.code != _TOO_LARGE:
            return self._down(error, misconfigured=is_for_good(error.code))  # it would refuse any mail
        if is_for_good(error.code):
            return RefusedError(f"{self._server} refuses the mail: {_answer(error)}")
        return self._down(error, misconfigured=False)

    def _nobody(self, refused: Sequence[SMTPRecipientRefused]) -> DownError | RefusedError:
        """Say what it means that no recipient was accepted: as long as one may be later, wait."""
        told = "; ".join(f"{each.recipient}: {_answer(each)}" for each in refused)
        if any(each.code in _AUTHENTICATION for each in refused):
            return self._wrong(f"wants a login: {told}")
        if all(is_for_good(each.code) for each in refused):
            return RefusedError(f"{self._server} knows none of the recipients: {told}")
        return DownError(f"{self._server} takes no mail for the recipients now: {told}")

    def _put_off(self, refused: Sequence[SMTPRecipientRefused]) -> DownError:
        """Say who has to wait; all others have the mail, or never get it."""
        told = "; ".join(f"{each.recipient}: {_answer(each)}" for each in refused)
        return DownError(
            f"{self._server} does not take the mail for everybody yet: {told}",
            retry_after=PUT_OFF,
            alone=True,
        )

    def _broken(self, error: BaseException) -> DownError:
        """Say what broke on the way; TLS that cannot work and a login that is not offered are named."""
        for each in _causes(error):
            if isinstance(each, ssl.SSLCertVerificationError):
                return self._wrong(f"is not trusted: {clean(each.verify_message, LONGEST_ANSWER)}")
            if isinstance(each, ssl.SSLError) and not isinstance(each, _CUT):
                return self._wrong(f"speaks no TLS on this port that SOCme does: {each.reason}")
        if isinstance(error, SMTPTimeoutError | SMTPServerDisconnected | OSError):
            return DownError(f"{self._server} cannot be reached: {clean(str(error), LONGEST_ANSWER)}")
        # What is left is said by the client: no STARTTLS is offered, or no login that it knows.
        return self._wrong(f"does not offer what the settings ask for: {clean(str(error), LONGEST_ANSWER)}")

    def _wrong(self, what: str) -> DownError:
        return DownError(f"{self._server} {what}", misconfigured=True)

    def _down(self, error: SMTPResponseException, *, misconfigured: bool) -> DownError:
        return DownError(f"{self._server} takes no mail: {_answer(error)}", misconfigured=misconfigured)


def _trust(name: str, settings: MailSettings) -> ssl.SSLContext | None:
    if settings.security == "none":
        return None
    try:
        return trusting(settings.ca_file)
    except OSError as error:  # a missing file, or one without certificates
        raise OperatorError(
            f"{name}: {settings.ca_file} cannot be used: {error}", "It must hold certificates as PEM."
        ) from error


async def _farewell(client: SMTP) -> None:
    """End a session politely; whatever becomes of it, the server has the mail."""
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(QUIT):
            await client.quit()


def _own_name() -> str:
    """Return what this machine calls itself to a server, without asking the DNS, which may be away."""
    name = socket.gethostname()
    return name if _FULL_NAME.fullmatch(name) else "[127.0.0.1]"


def _said(error: SMTPResponseException) -> Answer:
    return error.code, clean(error.message, LONGEST_ANSWER)


def _answer(error: SMTPResponseException) -> str:
    code, words = _said(error)
    return f"{code} {words}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
