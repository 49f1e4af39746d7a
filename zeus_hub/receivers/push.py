"""Telling people by SMS, voice, chat and push services: whatever Apprise knows, one address a receiver.

Addresses hold passwords and tokens. They are named nowhere: not in errors, and not in the log, for which
Apprise's own lines and those of the HTTP library under it are silenced.

Its services block, and some sleep or hang. Each message therefore has a thread of its own, one at a time
for a receiver. A service that hangs costs one thread and holds up no other receiver, and none of them holds
up the end of the process; in Apprise's own pool, a handful of them would take every worker.
"""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from types import MappingProxyType

from apprise import Apprise, AppriseAsset, NotifyBase
from apprise.common import ContentLocation, NotifyFormat, NotifyType, OverflowMode
from apprise.result import AppriseResult, AppriseResultStatus

from socme.errors import OperatorError
from socme.logs import hush
from socme.v1.alert_pb2 import Severity
from zeus_hub.notice import Notice
from zeus_hub.receivers.contract import DownError, Receipt, RefusedError
from zeus_hub.receivers.wording import Wording, Words

SHORT = 500  # characters; a service that takes no more is SMS or the like, and gets the short text
MEND = "One address as Apprise's documentation has it, alone in its file: service://token@host/…"
LIBRARIES = ("apprise", "requests", "urllib3")

_KINDS = MappingProxyType(
    {
        Severity.SEVERITY_CRITICAL: NotifyType.FAILURE,
        Severity.SEVERITY_HIGH: NotifyType.FAILURE,
        Severity.SEVERITY_MEDIUM: NotifyType.WARNING,
    }
)
# "@everyone", "<!channel>": what would have a chat service call people because an alert says so.
_CALL = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#])")
_STATUS = re.compile(r"\berror=(\d{3})\b")  # how Apprise's services say which answer they got
_DENIED = frozenset({401, 403, 404, 407})  # the address or what is in it is wrong
_LATER = frozenset({408, 425, 429})


class Push:
    """A Receiver. `name` is what people know it by, and all that errors say of the address.

    The services know no idempotency: a message that was sent when the hub was killed before it took note of
    that is sent again. One that only took longer than its time limit is not, as long as this object lives.
    Raises OperatorError for an address that is no service's.
    """

    def __init__(self, name: str, url: str, wording: Wording, *, seconds: float = 30.0) -> None:
        hush(*LIBRARIES)
        self._name = name
        self._wording = wording
        self._seconds = seconds
        self._apprise = _service(name, url)
        self._under_way: tuple[tuple[str, int], Future[AppriseResult]] | None = None

    async def send(self, notice: Notice) -> Receipt:
        """Tell of a notice."""
        words = self._wording.of(notice)
        kind = _KINDS.get(Severity.ValueType(notice.severity), NotifyType.INFO)
        if notice.reason == "over":
            kind = NotifyType.SUCCESS
        await self._tell((notice.group, notice.number), words, kind)
        return Receipt(warnings=words.warnings)

    async def test(self) -> str:
        """Send a message that says that it is a test."""
        await self._tell(("", 0), self._wording.test(self._name), NotifyType.INFO)
        return f"{self._name}: the service took a test message"

    async def close(self) -> None:
        """Let go; a message that a service hangs over ends with the process at the latest."""
        self._under_way = None

    async def _tell(self, key: tuple[str, int], words: Words, kind: NotifyType) -> None:
        if self._under_way is not None:
            late_key, late = self._under_way
            if not late.done():
                raise DownError(f"{self._name}: the service still hangs over the message before")
            self._under_way = None
            if late_key == key and _delivered(late):
                return  # it was taken after its time limit
        begun = _in_thread(self._name, lambda: self._notify(words, kind))
        self._under_way = key, begun
        waiting = asyncio.wrap_future(begun)
        try:
            await asyncio.wait([waiting], timeout=self._seconds)
        finally:
            waiting.cancel()  # it is the thread's no more; what has begun goes on
        if not begun.done():
            raise DownError(f"{self._name}: the service gave no answer within {self._seconds:g} s")
        self._under_way = None
        self._judge(begun)

    def _notify(self, words: Words, kind: NotifyType) -> AppriseResult:
        brief = _is_brief(self._apprise[0])
        return self._apprise.notify(
            body=_CALL.sub(r"\g<0> ", words.short if brief else words.text),
            title="" if brief else _CALL.sub(r"\g<0> ", words.subject),
            notify_type=kind,
            body_format=NotifyFormat.TEXT,
        )

    def _judge(self, ended: Future[AppriseResult]) -> None:
        """Raise what came of a message, unless it was delivered."""
        if _delivered(ended):
            return
        if (error := ended.exception()) is not None:  # its words may name the address
            raise DownError(f"{self._name}: the service failed with {type(error).__name__}")
        result = ended.result()
        found = [match for entry in result.logs() for match in _STATUS.findall(entry.message)]
        if not found:
            raise DownError(f"{self._name}: the service could not be reached, or did not take the message")
        status = int(found[-1])
        told = f"{self._name}: the service answers with HTTP status {status}"
        if status in _DENIED:
            raise DownError(f"{told}; look at its address, token and recipients", misconfigured=True)
        if 400 <= status < 500 and status not in _LATER:  # noqa: PLR2004 - as HTTP has it
            raise RefusedError(told)
        raise DownError(told)


def _service(name: str, url: str) -> Apprise:
    """Return the one service of an address, set so that one message is sent once, whole or cut."""
    asset = AppriseAsset(
        app_id="SOCme",
        app_desc="SOCme",
        app_url="",
        async_mode=False,
        service_timeout=0,  # the time limit is ours; with one, Apprise would use its pool
        secure_logging=True,
        http_redirects=False,  # a token goes to the one whom it is for
        storage_mode="memory",
        allow_templates=False,
    )
    made = Apprise(asset=asset, location=ContentLocation.HOSTED)  # no message carries a file of ours
    try:
        known = made.add(url) and len(made) == 1
    except Exception as error:  # noqa: BLE001 - a service's constructor may fail in any way, and name the address
        raise OperatorError(f"{name}: its address cannot be used: {type(error).__name__}", MEND) from None
    if not known:
        raise OperatorError(f"{name}: its address is not that of one service that Apprise knows", MEND)
    service = made[0]
    service.retry = 0  # trying again is for the one who sends
    service.optional = False  # a failure is one
    service.overflow_mode = OverflowMode.TRUNCATE
    return made


def _is_brief(service: NotifyBase) -> bool:
    """Tell whether a service carries few characters, or reads them out by telephone."""
    return service.body_maxlen <= SHORT or str(getattr(service, "method", "")) == "call"


def _delivered(ended: Future[AppriseResult]) -> bool:
    return ended.exception() is None and ended.result().status == AppriseResultStatus.SUCCESS


def _in_thread(name: str, work: Callable[[], AppriseResult]) -> Future[AppriseResult]:
    """Begin something in a thread of its own, which does not keep the process from ending."""
    future: Future[AppriseResult] = Future()
    future.set_running_or_notify_cancel()  # from here on, nobody who stops waiting can undo it

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    Thread(target=run, daemon=True, name=f"push {name}").start()
    return future
