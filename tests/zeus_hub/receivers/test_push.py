"""Push services: one message for one notice, and nowhere a word of the address."""

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from apprise import NotifyBase
from hypothesis import HealthCheck, given, settings

from socme.errors import OperatorError
from tests.conftest import REPOSITORY
from tests.zeus_hub.receivers.listener import Listener, listening
from tests.zeus_hub.receivers.notices import GROUP, LATER, NOTICE, PARIS, hostile
from zeus_hub.notice import Notice, Reason, Title
from zeus_hub.receivers.contract import DownError, Receiver, RefusedError
from zeus_hub.receivers.push import Push
from zeus_hub.receivers.wording import LONGEST_SHORT, load

WORDING = load("en", PARIS)
SECRET = "s3cr3t-t0ken"
VOICE = (
    "twilio://AC735c307c62944b5a735c307c62944b5a:0123456789abcdef0123456789abcdef"
    "@+14165551212/+14165551213?method=call"
)


def push(port: int, *, seconds: float = 20.0, extra: str = "") -> Push:
    url = f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}?+X-Token={SECRET}{extra}"
    return Push("on-call phone", url, WORDING, seconds=seconds)


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Return what reaches the log with everything in it; pytest's own looks into what is silenced as well."""
    handler, root = _Log(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(before)


def service(receiver: Push) -> NotifyBase:
    found = receiver._apprise[0]
    assert isinstance(found, NotifyBase)
    return found


def threads(name: str = "push on-call phone") -> int:
    return sum(thread.name == name for thread in threading.enumerate())


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - a thread's end is no event
            await asyncio.sleep(0.01)


async def test_a_notice_is_one_message() -> None:
    listener = Listener()
    async with listening(listener) as port:
        await push(port).send(NOTICE)

    (request,) = listener.requests
    told = json.loads(request.body)
    assert told["title"] == WORDING.of(NOTICE).subject
    assert told["message"] == WORDING.of(NOTICE).text
    assert told["type"] == "failure"
    assert told["attachments"] == []
    assert request.headers["x-token"] == SECRET


@pytest.mark.parametrize(
    ("severity", "reason", "kind"),
    [
        (4, "new", "failure"),
        (3, "more", "failure"),
        (2, "new", "warning"),
        (1, "new", "info"),
        (0, "new", "info"),
        (9, "new", "info"),
        (4, "over", "success"),
    ],
)
async def test_its_kind_is_that_of_the_severity(severity: int, reason: Reason, kind: str) -> None:
    listener = Listener()
    async with listening(listener) as port:
        await push(port).send(replace(NOTICE, severity=severity, reason=reason))

    assert json.loads(listener.requests[0].body)["type"] == kind


async def test_a_service_of_few_characters_gets_the_short_text_and_no_title(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = Listener()
    async with listening(listener) as port:
        receiver = push(port)
        monkeypatch.setattr(type(service(receiver)), "body_maxlen", 160)
        await receiver.send(NOTICE)

    told = json.loads(listener.requests[0].body)
    assert told["title"] == ""
    assert told["message"] == WORDING.of(NOTICE).short
    assert len(told["message"]) <= LONGEST_SHORT


def test_sms_and_telephone_get_the_short_text() -> None:
    from zeus_hub.receivers.push import _is_brief  # noqa: PLC0415

    sms = Push("sms", "voipms://pass:a@b.example/4165551212/4165551213", WORDING)

    assert _is_brief(service(sms))
    assert _is_brief(service(Push("voice", VOICE, WORDING)))
    assert not _is_brief(service(push(1)))


async def test_a_long_message_is_cut_and_not_made_into_many(monkeypatch: pytest.MonkeyPatch) -> None:
    long = replace(NOTICE, titles=tuple(Title("t" * 400, n) for n in range(10)))
    listener = Listener()
    async with listening(listener) as port:
        receiver = push(port, extra="&overflow=split")
        monkeypatch.setattr(type(service(receiver)), "body_maxlen", 1000)
        await receiver.send(long)

    (request,) = listener.requests
    assert len(json.loads(request.body)["message"]) <= 1000


async def test_markup_is_escaped_where_a_service_takes_html() -> None:
    listener = Listener()
    async with listening(listener) as port:
        await push(port, extra="&format=html").send(
            replace(NOTICE, titles=(Title("<script>alert(1)</script>", 1),))
        )

    message = json.loads(listener.requests[0].body)["message"]
    assert "<script" not in message
    assert "&lt;script&gt;" in message


async def test_an_alert_calls_nobody_in_a_chat() -> None:
    loud = replace(NOTICE, titles=(Title("@everyone <!channel> <@U1> root@host", 1),))
    listener = Listener()
    async with listening(listener) as port:
        await push(port).send(loud)

    told = json.loads(listener.requests[0].body)
    for text in (told["title"], told["message"]):
        assert "@ everyone < !channel> < @ U1> root@host" in text


@pytest.mark.parametrize(
    ("status", "error", "misconfigured"),
    [
        (401, DownError, True),
        (403, DownError, True),
        (404, DownError, True),
        (400, RefusedError, None),
        (413, RefusedError, None),
        (408, DownError, False),
        (429, DownError, False),
        (500, DownError, False),
        (503, DownError, False),
    ],
)
async def test_what_an_answer_means(
    status: int, error: type[Exception], misconfigured: object, logged: list[str]
) -> None:
    listener = Listener(status=status)
    async with listening(listener) as port:
        with pytest.raises(error, match=f"status {status}") as caught:
            await push(port, extra="&retry=3&wait=0.0").send(NOTICE)

    assert getattr(caught.value, "misconfigured", None) is misconfigured
    assert len(listener.requests) == 1  # trying again is for the one who sends
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(logged)


async def test_a_failure_that_the_address_calls_optional_is_one() -> None:
    async with listening(Listener(status=500)) as port:
        with pytest.raises(DownError):
            await push(port, extra="&optional=yes").send(NOTICE)


async def test_a_token_is_not_sent_after_a_redirect() -> None:
    elsewhere = Listener()
    async with listening(elsewhere) as other:
        moved = Listener(status=307, headers={"Location": f"http://127.0.0.1:{other}/"})
        async with listening(moved) as port:
            with pytest.raises(DownError):
                await push(port).send(NOTICE)

    assert elsewhere.requests == []


async def test_nobody_there_may_be_there_later(logged: list[str]) -> None:
    with pytest.raises(DownError, match=r"on-call phone: .*reached") as caught:
        await push(1).send(NOTICE)

    assert not caught.value.misconfigured
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(logged)


async def test_a_service_that_raises_is_down_and_its_words_are_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver = push(1)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"json://{SECRET}")

    monkeypatch.setattr(receiver._apprise, "notify", fail)
    with pytest.raises(DownError, match="RuntimeError") as caught:
        await receiver.send(NOTICE)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_service_that_hangs_costs_one_thread_and_holds_up_nobody_else() -> None:
    hanging, well = Listener(), Listener()
    hanging.answering.clear()
    async with listening(hanging) as port, listening(well) as other:
        receiver, neighbour = push(port, seconds=0.2, extra="&rto=60"), push(other)
        with pytest.raises(DownError, match=r"no answer within 0\.2 s"):
            await receiver.send(NOTICE)
        for _ in range(20):
            with pytest.raises(DownError, match="still hangs"):
                await receiver.send(NOTICE)
        await neighbour.send(NOTICE)

        await until(lambda: threads() == 1)  # the neighbour's ends
        assert len(hanging.requests) == 1
        assert len(well.requests) == 1
    await until(lambda: threads() == 0)


async def test_what_arrived_after_its_time_limit_is_not_sent_again() -> None:
    listener = Listener()
    listener.answering.clear()
    async with listening(listener) as port:
        receiver = push(port, seconds=0.2, extra="&rto=60")
        with pytest.raises(DownError):
            await receiver.send(NOTICE)
        listener.answering.set()
        await until(lambda: threads() == 0)
        await receiver.send(NOTICE)
        assert len(listener.requests) == 1

        await receiver.send(LATER)

    assert len(listener.requests) == 2


async def test_another_message_is_sent_whatever_became_of_the_one_before() -> None:
    listener = Listener()
    listener.answering.clear()
    async with listening(listener) as port:
        receiver = push(port, seconds=0.2, extra="&rto=60")
        with pytest.raises(DownError):
            await receiver.send(NOTICE)
        listener.answering.set()
        await until(lambda: threads() == 0)
        await receiver.send(LATER)

    assert len(listener.requests) == 2


async def test_what_failed_after_its_time_limit_is_sent_again() -> None:
    listener = Listener(status=500)
    listener.answering.clear()
    async with listening(listener) as port:
        receiver = push(port, seconds=0.2, extra="&rto=60")
        with pytest.raises(DownError):
            await receiver.send(NOTICE)
        listener.answering.set()
        await until(lambda: threads() == 0)
        listener.status = 200
        await receiver.send(NOTICE)

    assert len(listener.requests) == 2


async def test_who_is_cancelled_while_it_waits_leaves_no_second_thread() -> None:
    listener = Listener()
    listener.answering.clear()
    async with listening(listener) as port:
        receiver = push(port, extra="&rto=60")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await receiver.send(NOTICE)
        with pytest.raises(DownError, match="still hangs"):
            await receiver.send(NOTICE)
        assert threads() == 1
    await until(lambda: threads() == 0)


async def test_a_service_that_hangs_does_not_keep_the_process_from_ending() -> None:
    listener = Listener()
    listener.answering.clear()
    async with listening(listener) as port:
        program = (
            "from tests.zeus_hub.receivers.test_push import *\n"
            "async def main():\n"
            "    with pytest.raises(DownError):\n"
            f"        await push({port}, seconds=0.2, extra='&rto=600').send(NOTICE)\n"
            "    print(threads())\n"
            "asyncio.run(main())\n"
        )
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            said, _ = await child.communicate()

    assert said == b"1\n"
    assert child.returncode == 0


async def test_a_test_says_that_it_is_one() -> None:
    listener = Listener()
    async with listening(listener) as port:
        found = await push(port).test()

    assert found == "on-call phone: the service took a test message"
    assert "Nothing has happened" in json.loads(listener.requests[0].body)["message"]


@pytest.mark.parametrize(
    "url",
    [
        f"nonsense://{SECRET}",
        f"tgram://{SECRET}",
        f"{SECRET}",
        "",
        f"json://a/{SECRET}, json://b/{SECRET}",
        f"json://a/{SECRET}\njson://b/{SECRET}",
        f"file:///etc/{SECRET}",
        f"jsons://a/{SECRET}?method={SECRET}",
    ],
)
def test_an_address_that_is_no_service_s_is_refused_and_not_repeated(
    url: str, logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OperatorError, match=r"^on-call phone: its addr") as caught:
        Push("on-call phone", url, WORDING)

    assert SECRET not in str(caught.value)
    assert SECRET not in "".join((*logged, *capfd.readouterr()))


async def test_hostile_text_is_one_message_of_text() -> None:
    listener = Listener()
    async with listening(listener) as port:
        receiver = push(port)
        for notice in _hostile():
            await receiver.send(notice)
            told = json.loads(listener.requests[-1].body)
            assert told["title"].replace(" ", "") == WORDING.of(notice).subject.replace(" ", "")

    assert len(listener.requests) == len(_hostile())


_FOUND: list[Notice] = []


@settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(hostile)
def _collect(notice: Notice) -> None:
    _FOUND.append(notice)


def _hostile() -> list[Notice]:
    if not _FOUND:
        _collect()
    return _FOUND


async def test_it_is_a_receiver_and_closing_it_is_harmless() -> None:
    receiver: Receiver = push(1)

    await receiver.close()


def test_the_name_of_a_group_is_cut_for_the_telephone() -> None:
    short = WORDING.of(NOTICE).short

    assert GROUP[:8] in short
    assert GROUP[:9] not in short
