"""Reports by mail, to a real server."""

from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.zeus_hub.noticed import NOON
from tests.zeus_hub.receivers.post import Office, served
from tests.zeus_hub.reported import draft
from zeus_hub.receivers.contract import DownError, RefusedError
from zeus_hub.receivers.mail import Mail, MailSettings
from zeus_hub.receivers.rendering import Language, Templates
from zeus_hub.receivers.wording import load
from zeus_hub.reporter import Reporter
from zeus_hub.reports import Draft, Letter

UTC_ZONE = ZoneInfo("UTC")


def reporter(port: int, language: Language = "en", site: Path | None = None) -> Reporter:
    settings = MailSettings(
        host="127.0.0.1",
        port=port,
        security="none",
        sender="zeus@soc.example",
        recipients=("a@acme.example",),
    )
    mail = Mail("mail", settings, load(language, UTC_ZONE), lambda: NOON)
    return Reporter(mail, partial(Templates, language, site=site))


def letter(of: Draft) -> Letter:
    return Letter(number=1, receiver="mail", draft=of, due=NOON, reason="")


async def test_a_day_is_mailed_with_times_of_its_own_zone() -> None:
    """Not of the receiver's: a day of Paris begins in Paris."""
    office = Office()
    async with served(office) as port:
        await reporter(port).send(letter(draft()))
    [mail] = office.mails
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()

    assert mail["Subject"] == "[SOCme] Acme Ltd, 2026-07-01: 42 alerts, watched 95.8%"
    assert (
        "From 2026-07-01 00:00:00 UTC+02:00 to 2026-07-02 00:00:00 UTC+02:00 (times of Europe/Paris)" in text
    )
    assert "2026-07-01 03:00:00 UTC+02:00 - 2026-07-01 04:00:00 UTC+02:00 (1 h), acme-1" in text
    assert "Estimates: one alert in 3 was looked at" in text


async def test_hostile_text_in_a_title_is_harmless() -> None:
    office = Office()
    async with served(office) as port:
        await reporter(port).send(letter(draft()))
    [mail] = office.mails

    assert mail["Bcc"] is None
    assert office.recipients == [["a@acme.example"]]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "sshd: brute force" in body.get_content()
    assert "\nBcc" not in body.get_content()


async def test_a_month_is_mailed_in_the_receivers_language() -> None:
    office = Office()
    async with served(office) as port:
        await reporter(port, "fr").send(letter(draft("month", "2026-07")))

    assert "juillet 2026" in office.mails[0]["Subject"]


async def test_the_same_report_has_the_same_message_id_and_another_has_another() -> None:
    office = Office()
    async with served(office) as port:
        made = reporter(port)
        for each in (draft(), draft(), draft(period="2026-07-02")):
            await made.send(letter(each))
        await made.close()
    one, again, other = (mail["Message-ID"] for mail in office.mails)

    assert one == again != other


async def test_a_server_that_is_down_or_refuses_is_told_apart() -> None:
    office = Office({"DATA": "554 no such mail here"})
    async with served(office) as port:
        with pytest.raises(RefusedError):
            await reporter(port).send(letter(draft()))
    with pytest.raises(DownError):
        await reporter(port).send(letter(draft()))
