"""Requests to one TheHive over HTTP: spaced, limited in time and in size, and never repeated here.

What passes upwards is an Answer, or DownError where there is none that says anything about the request.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from socme.errors import OperatorError
from socme.logs import hush
from socme.text import clean
from socme.trust import trusting
from zeus_hub.receivers import retry_after
from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive.settings import TheHiveSettings

MOST_BYTES = 16 * 1024 * 1024  # of an answer; a page of a hundred alerts takes a few
MOST_VALUES = 250_000  # of an answer's JSON; each takes memory, however short: a page has some 20,000
LONGEST_REASON = 300  # characters of what TheHive says
LONGEST_RETRY_AFTER = 3600.0  # seconds; whoever asks for more is asked again after an hour

OK, UNAUTHORISED, FORBIDDEN, NOT_FOUND, BAD_REQUEST = 200, 401, 403, 404, 400
REQUEST_TIMEOUT, TOO_MANY = 408, 429
_REDIRECTS, _SERVER_ERRORS = range(300, 400), range(500, 600)
_GOOD = range(200, 300)
_UNAVAILABLE = {REQUEST_TIMEOUT, TOO_MANY, *_SERVER_ERRORS}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    hidden: str = field(default="", repr=False)
    """What no error may repeat, though TheHive should: the key."""

    @property
    def good(self) -> bool:
        """Whether the request was done."""
        return self.status in _GOOD

    def told(self) -> Any:  # noqa: ANN401 - JSON; whoever reads it looks at what it is
        """Return the body's JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def kind(self) -> str:
        """The type of an error, as "CreateError"; empty where TheHive did not write the answer."""
        told = self.told()
        kind = told.get("type") if isinstance(told, dict) else None
        return clean(kind, LONGEST_REASON) if isinstance(kind, str) else ""

    @property
    def reason(self) -> str:
        """What is wrong, for people; never the text of a foreign page."""
        told = self.told()
        message = told.get("message") if isinstance(told, dict) else None
        if not self.kind or not isinstance(message, str):
            return f"HTTP {self.status}"
        words = f"{self.kind}: {' '.join(message.split())}"
        if self.hidden:
            words = words.replace(self.hidden, "(key)")
        return clean(f"HTTP {self.status}, {words}", LONGEST_REASON)


class Line:
    """The way to one TheHive; several requests may wait for their turn."""

    def __init__(
        self,
        settings: TheHiveSettings,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        hush("httpx", "httpcore")  # a line for every request, each minute, says nothing to anybody
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._next = float("-inf")
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "socme"},
            verify=_trust(settings),
            timeout=None,  # noqa: S113 - `ask` has one for the whole; httpx counts from byte to byte
            follow_redirects=False,  # the key goes nowhere else
            trust_env=False,  # nor through a proxy that the service's environment names by chance
        )

    async def ask(
        self, method: str, path: str, body: object = None, *, organisation: str = "", known: bool = True
    ) -> Answer:
        """Send a request and return its answer, whatever its status, but for those that say "not now".

        `known`: say who we are. Raise DownError for those, for a key that is refused, and for no answer.
        """
        await self._wait()
        headers = [("Authorization", f"Bearer {self._settings.key}".encode())] if known else []
        if organisation:
            headers.append(("X-Organisation", organisation.encode("latin-1")))  # as TheHive's own client does
        try:
            async with asyncio.timeout(self._settings.limit_seconds):
                answer, asked = await self._exchange(method, path, body, headers)
        except TimeoutError as error:
            raise DownError(
                f"TheHive did not answer within {self._settings.limit_seconds:g} seconds"
            ) from error
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        _judge(answer, asked, known=known)
        return answer

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _wait(self) -> None:
        async with self._turn:
            now = self._clock()
            if now < self._next:
                await self._sleep(self._next - now)
            self._next = max(now, self._next) + self._settings.pause_seconds

    async def _exchange(
        self, method: str, path: str, body: object, headers: Sequence[tuple[str, bytes]]
    ) -> tuple[Answer, float | None]:
        content = None if body is None else json.dumps(body).encode()
        sent = [(name.encode(), value) for name, value in headers]
        if content is not None:
            sent.append((b"Content-Type", b"application/json"))
        async with self._client.stream(method, path, content=content, headers=sent) as answer:
            parts = bytearray()
            async for part in answer.aiter_raw():
                parts += part
                if len(parts) > MOST_BYTES:
                    raise DownError(f"TheHive answers with more than {MOST_BYTES} bytes")
            told = bytes(parts)
            if _is_crowded(told):
                raise DownError(f"TheHive answers with more than {MOST_VALUES} values")
            asked = retry_after.seconds(
                answer.headers.get("Retry-After", ""), datetime.now(UTC), most=LONGEST_RETRY_AFTER
            )
            return Answer(answer.status_code, told, self._settings.key), asked


def not_thehive(answer: Answer) -> DownError:
    """Return the error for an answer that TheHive did not write."""
    return DownError(
        f"what answers (HTTP {answer.status}) is no TheHive: look at the url, and at proxies in front of it",
        misconfigured=True,
    )


def _judge(answer: Answer, asked: float | None, *, known: bool) -> None:
    if answer.status in _UNAVAILABLE:
        raise DownError(f"TheHive cannot take anything now: {answer.reason}", retry_after=asked)
    if known and answer.status == UNAUTHORISED:
        raise DownError(
            f"TheHive refuses the API key ({answer.reason}): make a new one for its user", misconfigured=True
        )
    if answer.status in _REDIRECTS:
        raise not_thehive(answer)


def _trust(settings: TheHiveSettings) -> ssl.SSLContext:
    try:
        return trusting(settings.ca_file)
    except OSError as error:  # an SSLError as well
        raise OperatorError(
            f"cannot read {settings.ca_file}: {error.strerror or error}", "Give a file of PEM certificates."
        ) from error


def _unreachable(error: httpx.HTTPError) -> DownError:
    """Return what is wrong with a connection; certificates are what people must mend."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return DownError(
                f"the certificate of TheHive is not trusted ({cause.verify_message}):"
                " set ca_file to the certificate of who issued it",
                misconfigured=True,
            )
        if isinstance(cause, ssl.SSLError):
            return DownError(
                f"TheHive speaks no TLS there ({cause.reason}): look at the scheme and port of the url",
                misconfigured=True,
            )
        cause = cause.__cause__ or cause.__context__
    return DownError(
        f"TheHive cannot be reached: {clean(str(error), LONGEST_REASON) or type(error).__name__}"
    )


def _is_crowded(body: bytes) -> bool:
    """Tell whether JSON has more values than may be; what stands in texts, whoever wrote them, is none."""
    if _signs(body) < MOST_VALUES:  # nearly always
        return False
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")  # now each quotation mark begins or ends a text
    if plain.count(b'"') > 4 * MOST_VALUES:  # a name and a text for each
        return True
    return sum(map(_signs, plain.split(b'"')[::2])) >= MOST_VALUES


def _signs(json_text: bytes) -> int:
    """Return how many values begin, but for the first one, if this is no text."""
    return sum(json_text.count(sign) for sign in (b",", b"[", b"{"))
