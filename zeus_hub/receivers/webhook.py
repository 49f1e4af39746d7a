"""Telling a program: a notice as JSON, signed, by an HTTPS POST.

The body is `{"version": 1, "notice": {…}}` with the fields of zeus_hub.notice by their names; severities by
theirs, `labels` as an object, times in RFC 3339. Fields may be added within a version, none changes or goes.
`SOCme-Signature: t=<seconds since 1970>,v1=<hex>` holds the HMAC-SHA256, with the shared secret, of those
seconds, a full stop and the body: check it, and that the time is not long ago. `Idempotency-Key` is the group
and the number: what comes again has it again.
"""

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec

from socme import severity
from socme.errors import OperatorError
from socme.logs import hush
from socme.text import clean
from socme.trust import trusting
from zeus_hub.notice import Notice
from zeus_hub.receivers import retry_after
from zeus_hub.receivers.contract import DownError, Receipt, RefusedError
from zeus_hub.receivers.harmless import harmless

VERSION = 1
SIGNATURE = "SOCme-Signature"
LONGEST_WAIT = 86_400.0  # seconds; who asks for more is asked again tomorrow

_LATER = frozenset({408, 425, 429})
_DENIED = frozenset({401, 403, 404, 405, 407, 410})  # the address or the secret is wrong, whatever the notice


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Where a program listens."""

    url: str = field(repr=False)
    """It may hold a token, so it is named nowhere."""
    secret: bytes = field(repr=False)
    """What both sides know, to sign with."""
    ca_file: Path | None = None
    """Certificates of those who vouch for the server, PEM. None: the system's."""
    seconds: float = 15.0
    """How long one request may take."""


class Webhook:
    """A Receiver. Raises OperatorError for settings that cannot work."""

    def __init__(self, name: str, settings: WebhookSettings, clock: Callable[[], float] = time.time) -> None:
        hush("httpx", "httpcore")
        self._name = name
        self._settings = settings
        self._clock = clock
        self._url = _address(name, settings.url)
        if not settings.secret:
            raise OperatorError(f"{name}: its secret is empty", "Put some random characters into its file.")
        try:
            trust = trusting(settings.ca_file)
        except OSError as error:  # a missing file, or one without certificates
            raise OperatorError(
                f"{name}: {settings.ca_file} cannot be used: {error}", "It must hold certificates as PEM."
            ) from error
        self._client = httpx.AsyncClient(
            verify=trust, timeout=settings.seconds, follow_redirects=False, trust_env=False
        )

    async def send(self, notice: Notice) -> Receipt:
        """Post a notice."""
        await self._post(encode(notice), f"{notice.group}-{notice.number}")
        return Receipt()

    async def test(self) -> str:
        """Post `{"version": 1, "test": true}`."""
        status = await self._post(msgspec.json.encode({"version": VERSION, "test": True}), "test")
        return f"{self._name}: the other side answered a test with status {status}"

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def _post(self, body: bytes, key: str) -> int:
        seconds = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": clean(key, 100).encode("ascii", "replace").decode("ascii"),
            SIGNATURE: f"t={seconds},v1={signature(self._settings.secret, seconds, body)}",
            "User-Agent": "SOCme",
        }
        try:
            async with (
                asyncio.timeout(self._settings.seconds),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                return self._judge(answer)  # its body is not read: it may name the address, token and all
        except TimeoutError as error:
            raise DownError(
                f"{self._name}: there was no answer within {self._settings.seconds:g} s"
            ) from error
        except httpx.HTTPError as error:
            raise _broken(self._name, error) from error

    def _judge(self, answer: httpx.Response) -> int:
        """Return the status of an answer that is a success; raise what another one means."""
        status = answer.status_code
        if answer.is_success:
            return status
        told = f"{self._name}: the other side answered with status {status}"
        if answer.is_redirect:
            raise DownError(f"{told}; redirects are not followed: give the new address", misconfigured=True)
        if status in _DENIED:
            raise DownError(told, misconfigured=True)
        if answer.is_client_error and status not in _LATER:
            raise RefusedError(told)
        now = datetime.fromtimestamp(self._clock(), UTC)
        asked = retry_after.seconds(answer.headers.get("Retry-After", ""), now, most=LONGEST_WAIT)
        raise DownError(told, retry_after=asked)


def encode(notice: Notice) -> bytes:
    """Return the body that tells of a notice."""
    plain = msgspec.to_builtins(harmless(notice), builtin_types=())
    plain["severity"] = severity.name(notice.severity)
    plain["labels"] = dict(plain["labels"])
    for member in plain["members"]:
        member["severity"] = severity.name(member["severity"])
    return msgspec.json.encode({"version": VERSION, "notice": plain})


def signature(secret: bytes, seconds: int, body: bytes) -> str:
    """Return what proves that a body comes from who knows the secret, and when."""
    return hmac.new(secret, b"%d." % seconds + body, hashlib.sha256).hexdigest()


def _address(name: str, text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise OperatorError(f"{name}: its address is none", "Give one that begins with https://.") from None
    if url.scheme != "https" or not url.host:
        raise OperatorError(f"{name}: its address is not of HTTPS", "Give one that begins with https://.")
    return url


def _broken(name: str, error: httpx.HTTPError) -> DownError:
    """Say what broke on the way; the words of the error name no address."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, ssl.SSLCertVerificationError):
            return DownError(
                f"{name}: the other side's certificate is not trusted: {clean(each.verify_message, 200)}",
                misconfigured=True,
            )
        each = each.__cause__ or each.__context__
    return DownError(f"{name}: the other side cannot be reached ({type(error).__name__})")
