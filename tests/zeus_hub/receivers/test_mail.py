"""Mail: told apart are what may work later, what never will, and what a person must mend."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.receivers.notices import LATER, NIGHT, NOTICE, PARIS
from tests.zeus_hub.receivers.post import PASSWORD, USER, Office, Trust, served, trust
from zeus_hub.notice import Title
from zeus_hub.receivers.contract import DownError, Receiver, RefusedError
from zeus_hub.receivers.mail import PUT_OFF, Mail, MailSettings
from zeus_hub.receivers.remainder import LONGEST
from zeus_hub.receivers.wording import load

WORDING = load("en", PARIS)
SETTINGS = MailSettings(
    host="localhost",
    port=0,
    sender="zeus@soc.example",
    recipients=("night@soc.example", "boss@acme.example"),
    seconds=10.0,
)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return trust(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def office() -> Office:
    return Office()


def mail(
    port: int,
    tls: Trust | None,
    *,
    clock: Callable[[], float] = lambda: 0.0,
    **changes: Any,  # noqa: ANN401 - any settings
) -> Mail:
    ca_file = tls.ca_file if tls is not None else None
    settings = replace(SETTINGS, port=port, ca_file=ca_file, **changes)
    return Mail("night mail", settings, WORDING, lambda: NIGHT, clock)


async def test_a_notice_is_mailed_encrypted_to_all_recipients(office: Office, tls: Trust) -> None:
    async with served(office, starttls=tls.server) as port:
        receipt = await mail(port, tls).send(NOTICE)

    (letter,) = office.mails
    assert letter["Subject"] == "[CRITICAL] Acme Ltd: sshd: brute force (10,000)"
    assert receipt.reference == letter["Message-ID"]
    assert receipt.warnings == ()
    assert office.encrypted == [True]
    assert office.recipients == [["night@soc.example", "boss@acme.example"]]


async def test_tls_from_the_first_byte(office: Office, tls: Trust) -> None:
    async with served(office, tls=tls.server) as port:
        await mail(port, tls, security="tls").send(NOTICE)

    assert len(office.mails) == 1


async def test_in_the_clear_where_the_settings_say_so(office: Office) -> None:
    async with served(office) as port:
        await mail(port, None, security="none").send(NOTICE)

    assert office.encrypted == [False]


@pytest.mark.parametrize("user", ["", USER])
async def test_a_server_learns_how_large_a_mail_is_before_it_gets_it(
    office: Office, tls: Trust, user: str
) -> None:
    async with served(office, starttls=tls.server) as port:
        await mail(port, tls, user=user, password=PASSWORD).send(NOTICE)

    [[option]] = office.options
    assert re.fullmatch(r"size=\d{4,}", option.lower())


async def test_a_server_that_knows_no_extensions_gets_mail(office: Office) -> None:
    office.old = True
    async with served(office) as port:
        await mail(port, None, security="none").send(NOTICE)

    assert (len(office.mails), office.options) == (1, [[]])


async def test_it_logs_in_where_there_is_a_user(office: Office, tls: Trust) -> None:
    async with served(office, starttls=tls.server) as port:
        await mail(port, tls, user=USER, password=PASSWORD).send(NOTICE)

    assert office.users == [USER.encode()]
    assert len(office.mails) == 1


async def test_the_notices_of_a_group_are_one_thread_and_the_same_one_is_known(
    office: Office, tls: Trust
) -> None:
    async with served(office, starttls=tls.server) as port:
        receiver = mail(port, tls)
        for notice in (NOTICE, LATER, LATER):
            await receiver.send(notice)

    first, later, again = office.mails
    assert later["References"] == later["In-Reply-To"] == first["Message-ID"]
    assert again["Message-ID"] == later["Message-ID"] != first["Message-ID"]


async def test_a_line_with_a_full_stop_alone_does_not_end_the_mail(office: Office, tls: Trust) -> None:
    hostile = replace(NOTICE, titles=(Title(".", 1), Title("\r\n.\r\nMAIL FROM:<x@y>\r\n", 1)))
    async with served(office, starttls=tls.server) as port:
        await mail(port, tls).send(hostile)

    (letter,) = office.mails
    body = letter.get_body(("plain",))
    assert body is not None
    assert "1 x ." in body.get_content()


async def test_a_recipient_who_is_refused_is_a_warning(office: Office, tls: Trust) -> None:
    office.answers["boss@acme.example"] = "550 5.1.1 no such user\x1b[2J"
    async with served(office, starttls=tls.server) as port:
        receipt = await mail(port, tls).send(NOTICE)

    (warning,) = receipt.warnings
    assert re.match(r"boss@acme.example does not get it: 550 5\.1\.1 no such user", warning)
    assert "\x1b" not in warning
    assert office.recipients == [["night@soc.example"]]


async def test_who_is_put_off_gets_the_mail_later_and_the_others_do_not_get_it_again(
    office: Office, tls: Trust
) -> None:
    office.answers["boss@acme.example"] = "450 4.2.0 greylisted"
    async with served(office, starttls=tls.server) as port:
        receiver = mail(port, tls)
        for _ in range(2):
            with pytest.raises(DownError, match=r"yet: boss@acme.example: 450 4\.2\.0 greylisted$") as caught:
                await receiver.send(NOTICE)
            assert (caught.value.alone, caught.value.misconfigured) == (True, False)
            assert caught.value.retry_after == PUT_OFF
        del office.answers["boss@acme.example"]
        receipt = await receiver.send(NOTICE)

    assert receipt.warnings == ()
    assert office.recipients == [["night@soc.example"], ["boss@acme.example"]]
    assert office.asked == ["night@soc.example", *["boss@acme.example"] * 3]
    assert len({letter["Message-ID"] for letter in office.mails}) == 1


async def test_that_one_is_put_off_changes_nothing_for_another_mail(office: Office, tls: Trust) -> None:
    office.answers["boss@acme.example"] = "452 4.5.3 too many recipients"
    async with served(office, starttls=tls.server) as port:
        receiver = mail(port, tls)
        with pytest.raises(DownError):
            await receiver.send(NOTICE)
        office.answers.clear()
        await receiver.send(replace(NOTICE, number=NOTICE.number + 1))

    assert office.recipients[1] == ["boss@acme.example", "night@soc.example"], "who waits comes first"


async def test_who_is_put_off_for_a_day_is_given_up_whatever_comes_in_the_group_meanwhile(
    office: Office, tls: Trust
) -> None:
    office.answers["boss@acme.example"] = "450 4.2.0 greylisted"
    now = [0.0]
    async with served(office, starttls=tls.server) as port:
        receiver = mail(port, tls, clock=lambda: now[0])
        for number in range(24):
            now[0] = number * 3600.0
            with pytest.raises(DownError):
                await receiver.send(replace(NOTICE, number=number + 1))
        now[0] = LONGEST
        receipt = await receiver.send(replace(NOTICE, number=25))

    assert receipt.warnings == ("boss@acme.example does not get it: 450 4.2.0 greylisted",)
    assert office.recipients == [["night@soc.example"]] * 25


async def test_who_is_put_off_for_a_day_does_not_get_the_mail(office: Office, tls: Trust) -> None:
    office.answers["boss@acme.example"] = "450 4.2.0 greylisted"
    now = [0.0]
    async with served(office, starttls=tls.server) as port:
        receiver = mail(port, tls, clock=lambda: now[0])
        with pytest.raises(DownError):
            await receiver.send(NOTICE)
        now[0] = LONGEST
        receipt = await receiver.send(NOTICE)

    assert receipt.warnings == ("boss@acme.example does not get it: 450 4.2.0 greylisted",)


async def test_a_server_that_is_down_when_the_rest_is_tried_forgets_nobody(
    office: Office, tls: Trust
) -> None:
    office.answers["boss@acme.example"] = "450 4.2.0 greylisted"
    async with served(office, starttls=tls.server) as port:
        receiver = mail(port, tls)
        with pytest.raises(DownError):
            await receiver.send(NOTICE)
        office.answers = {"DATA": "451 4.3.0 later"}
        with pytest.raises(DownError) as caught:
            await receiver.send(NOTICE)
        office.answers = {}
        await receiver.send(NOTICE)

    assert not caught.value.alone
    assert office.recipients == [["night@soc.example"], ["boss@acme.example"]]


@pytest.mark.parametrize(
    ("answers", "error", "misconfigured"),
    [
        ({"DATA": "451 4.3.0 later"}, DownError, False),
        ({"DATA": "554 5.7.1 spam"}, RefusedError, None),
        ({"DATA": "552 5.3.4 too big"}, RefusedError, None),
        ({"MAIL": "450 4.7.1 later"}, DownError, False),
        ({"MAIL": "550 5.7.1 you may not send as zeus"}, DownError, True),
        ({"MAIL": "552 5.3.4 too big"}, RefusedError, None),
        ({"MAIL": "530 5.7.0 log in first"}, DownError, True),
        ({"night@soc.example": "550 no", "boss@acme.example": "550 no"}, RefusedError, None),
        ({"night@soc.example": "450 greylisted", "boss@acme.example": "550 no"}, DownError, False),
        ({"night@soc.example": "530 log in", "boss@acme.example": "530 log in"}, DownError, True),
    ],
)
async def test_what_a_server_s_answer_means(
    office: Office,
    tls: Trust,
    answers: dict[str, str],
    error: type[Exception],
    misconfigured: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    office.answers |= answers
    async with served(office, starttls=tls.server) as port:
        with pytest.raises(error) as caught:
            await mail(port, tls).send(NOTICE)

    assert getattr(caught.value, "misconfigured", None) is misconfigured
    assert next(iter(answers.values()))[:3] in str(caught.value)


async def test_a_wrong_password_is_named_but_not_told(office: Office, tls: Trust) -> None:
    async with served(office, starttls=tls.server) as port:
        with pytest.raises(DownError, match="does not let SOCme log in as zeus: 535") as caught:
            await mail(port, tls, user=USER, password="hunter22").send(NOTICE)

    assert caught.value.misconfigured
    assert "hunter22" not in str(caught.value)
    assert not office.mails


@pytest.mark.parametrize("user", ["", USER])
async def test_a_server_that_offers_no_starttls_gets_nothing(office: Office, user: str) -> None:
    async with served(office) as port:
        with pytest.raises(DownError, match="STARTTLS extension not supported") as caught:
            await mail(port, None, user=user, password=PASSWORD).send(NOTICE)

    assert caught.value.misconfigured
    assert not office.mails
    assert not office.users


async def test_a_server_that_nobody_vouches_for_gets_nothing(
    office: Office, tls: Trust, tmp_path: Path
) -> None:
    stranger = trust(tmp_path)
    async with served(office, starttls=stranger.server) as port:
        with pytest.raises(DownError, match="is not trusted: certificate") as caught:
            await mail(port, tls).send(NOTICE)

    assert caught.value.misconfigured
    assert not office.mails


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_another_name_is_not_trusted(
    office: Office, tmp_path: Path, security: str
) -> None:
    other = trust(tmp_path, name="other.example")
    contexts = {"starttls": other.server} if security == "starttls" else {"tls": other.server}
    async with served(office, **contexts) as port:
        with pytest.raises(DownError, match="Hostname mismatch") as caught:
            await mail(port, other, security=security).send(NOTICE)

    assert caught.value.misconfigured


async def test_tls_at_a_port_that_speaks_none_is_named(office: Office, tls: Trust) -> None:
    async with served(office) as port:
        with pytest.raises(DownError, match="speaks no TLS on this port") as caught:
            await mail(port, tls, security="tls").send(NOTICE)

    assert caught.value.misconfigured


async def test_a_server_that_hangs_is_given_up_in_time(office: Office, tls: Trust) -> None:
    office.hang = True
    async with served(office, starttls=tls.server) as port, asyncio.timeout(10):
        with pytest.raises(DownError, match=r"did not take the mail within 0\.5 s") as caught:
            await mail(port, tls, answer_seconds=0.5).send(NOTICE)

    assert not caught.value.misconfigured


async def test_a_server_that_has_the_mail_and_looks_through_it_gets_more_time(
    office: Office, tls: Trust
) -> None:
    office.thinks = 1.5
    async with served(office, starttls=tls.server) as port:
        await mail(port, tls, seconds=1.0).send(NOTICE)

    assert len(office.mails) == 1


async def test_a_server_that_is_slow_at_every_step_is_given_up_in_time(office: Office, tls: Trust) -> None:
    """No step takes longer than the limit; together they do."""
    office.slow = 0.3
    async with served(office, starttls=tls.server) as port:
        with pytest.raises(DownError, match=r"within 0\.7 s"):
            await mail(port, tls, seconds=0.7).send(NOTICE)

    assert office.mails == []


async def test_a_server_that_says_nothing_at_all_is_given_up_in_time(tls: Trust) -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        with pytest.raises(DownError, match=r"within 0\.5 s|Timed out") as caught:
            await mail(server.sockets[0].getsockname()[1], tls, seconds=0.5).send(NOTICE)
        for writer in held:
            writer.close()

    assert not caught.value.misconfigured


async def test_a_mail_that_was_taken_is_whatever_becomes_of_the_farewell(office: Office, tls: Trust) -> None:
    office.mute = True
    async with served(office, starttls=tls.server) as port, asyncio.timeout(10):
        await mail(port, tls, seconds=0.9).send(NOTICE)

    assert len(office.mails) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [("hub.soc.example", "hub.soc.example"), ("hub", "[127.0.0.1]"), ("a b.c", "[127.0.0.1]")],
)
async def test_it_says_who_it_is_without_asking_the_dns(
    office: Office, tls: Trust, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: name)
    monkeypatch.setattr("socket.getfqdn", lambda: pytest.fail("it asked the DNS"))
    async with served(office, starttls=tls.server) as port:
        await mail(port, tls).send(NOTICE)

    assert set(office.names) == {told}


async def test_a_connection_that_is_cut_may_work_later_with_the_same_id(office: Office, tls: Trust) -> None:
    """Whether the server had the mail is not to be known: it comes again, as the same one."""
    office.cut = True
    async with served(office, starttls=tls.server) as port:
        receiver = mail(port, tls)
        with pytest.raises(DownError) as caught:
            await receiver.send(NOTICE)
        office.cut = False
        await receiver.send(NOTICE)

    assert not caught.value.misconfigured
    assert len({letter["Message-ID"] for letter in office.mails}) == 1


async def test_nobody_there_may_be_there_later(tls: Trust) -> None:
    with pytest.raises(DownError, match="localhost:1 cannot be reached") as caught:
        await mail(1, tls).send(NOTICE)

    assert not caught.value.misconfigured


async def test_a_server_that_turns_everybody_away_is_told(tls: Trust) -> None:
    async def turn_away(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.7.1 your address is on a list\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(turn_away, "127.0.0.1", 0) as server:
        with pytest.raises(DownError, match=r"554 5\.7\.1 your address is on a list") as caught:
            await mail(server.sockets[0].getsockname()[1], tls).send(NOTICE)

    assert caught.value.misconfigured


async def test_a_test_is_marked_and_says_who_would_get_mail(office: Office, tls: Trust) -> None:
    async with served(office, starttls=tls.server) as port:
        found = await mail(port, tls).test()

    assert found == "localhost took a test message for night@soc.example, boss@acme.example"
    assert office.mails[0]["Subject"] == "SOCme test message"


async def test_any_words_can_be_mailed(office: Office, tls: Trust) -> None:
    words = WORDING.of(NOTICE)
    async with served(office, starttls=tls.server) as port:
        await mail(port, tls).post(words, key="acme.2026-11", thread="acme")

    assert office.mails[0]["Message-ID"] == "<acme.2026-11@soc.example>"
    assert office.mails[0]["References"] == "<acme@soc.example>"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sender": "zeus"}, "night mail: 'zeus' is not a mail address"),
        ({"recipients": ("a@x.example\r\nBcc: b@y",)}, "is not a mail address"),
        ({"recipients": ()}, "nobody would get its mail"),
        ({"security": "none", "user": "zeus", "password": "secret"}, "in the clear"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "/nowhere/ca.pem cannot be used"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(OperatorError, match=reason) as caught:
        Mail("night mail", replace(SETTINGS, **changes), WORDING)

    assert "secret" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    assert "hunter22" not in repr(replace(SETTINGS, user="zeus", password="hunter22"))


async def test_it_is_a_receiver_and_closing_it_is_harmless(tls: Trust) -> None:
    receiver: Receiver = mail(1, tls)

    await receiver.close()
