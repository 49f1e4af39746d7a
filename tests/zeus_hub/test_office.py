"""Who is at work for a receiver, for how long, and what is wrong there."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.zeus_hub import engines
from tests.zeus_hub.kit import eventually
from tests.zeus_hub.noticed import NOON, notice
from zeus_hub import office, outbox
from zeus_hub.database import writing
from zeus_hub.notice import Notice
from zeus_hub.office import Made, Office, Opening
from zeus_hub.postman import SEND_SECONDS
from zeus_hub.receivers.contract import Receipt
from zeus_hub.receivers.mail import MAIL_SECONDS, QUIT, Mail, MailSettings
from zeus_hub.receivers.wording import load
from zeus_hub.routes.rules import Place, Receiver

FILE = Path("/routes.d/rules.toml")
MARKS = {Path("/routes.d/key"): (1, 2)}
HIVE = Receiver("hive", "thehive", {"url": "https://hive"}, Place(FILE, 7))
MAIL = Receiver("mail", "mail", {"host": "mail"}, Place(FILE, 9))


def made(*postmen: object, inquirer: object = None) -> Office:
    return Office(HIVE, MARKS, postmen, inquirer, (), ())  # type: ignore[arg-type]


def worker(problem: str = "", parts: dict[str, str] | None = None, **more: Any) -> SimpleNamespace:  # noqa: ANN401
    return SimpleNamespace(problem=problem, parts=parts or {}, **more)


def test_it_is_for_a_table_wherever_that_stands_and_for_no_other() -> None:
    there = made()

    assert there.is_for(replace(HIVE, place=Place(FILE.with_name("other.toml"), 99)), MARKS)
    assert not there.is_for(replace(HIVE, place=Place(Path("/other/rules.toml"), 7)), MARKS), "other secrets"
    assert not there.is_for(replace(HIVE, options={"url": "https://other"}), MARKS)
    assert not there.is_for(replace(HIVE, kind="webhook"), MARKS)
    assert not there.is_for(HIVE, {Path("/routes.d/key"): (1, 3)})


def test_what_is_wrong_has_the_name_of_the_receiver_or_of_a_part_of_it() -> None:
    assert made(worker(), worker()).problems() == {"hive": ""}
    assert made(worker(), worker("no mail"), inquirer=worker("no answer")).problems() == {"hive": "no mail"}
    assert made(
        worker(parts={"organisation a": "forbidden"}),
        inquirer=worker("no answer", {"organisation b": "late"}),
    ).problems() == {
        "hive": "no answer",
        "hive (organisation a)": "forbidden",
        "hive (organisation b)": "late",
    }


def test_it_is_to_be_made_anew_where_a_person_must_mend_something() -> None:
    well = worker(stale=False)

    assert not made(well, inquirer=worker(hopeless=False)).stale
    assert made(well, worker(stale=True)).stale
    assert made(well, inquirer=worker(hopeless=True)).stale


class Hanging:
    """A receiver that never answers."""

    def __init__(self) -> None:
        self.got, self.closed = 0, False

    async def send(self, _: Notice) -> Receipt:
        """Never return."""
        self.got += 1
        await asyncio.Event().wait()
        raise AssertionError

    async def test(self) -> str:
        """Never return, either."""
        raise AssertionError

    async def close(self) -> None:
        """Take note."""
        self.closed = True


def test_a_mail_may_take_as_long_as_its_settings_say() -> None:
    settings = MailSettings(host="mail", port=25, sender="a@b.example", recipients=("c@d.example",))

    assert settings.seconds + settings.answer_seconds + QUIT < MAIL_SECONDS


async def test_postmen_of_mail_wait_for_longer(tmp_path: Path) -> None:
    settings = MailSettings(
        host="mail", port=25, security="none", sender="a@b.example", recipients=("c@d.example",)
    )
    mail = Mail("mail", settings, load("en", ZoneInfo("UTC")))
    engine = engines.opened(tmp_path)
    with ThreadPoolExecutor(1) as letters:
        opening = Opening(asyncio.TaskGroup(), engine, letters, lambda: NOON)
        [notices, reports] = opening._hire(MAIL, mail)
        [usual] = opening._hire(HIVE, Hanging())
    engine.dispose()

    limits = [each._destination.seconds for each in (notices, reports, usual)]
    assert limits == [MAIL_SECONDS, MAIL_SECONDS, SEND_SECONDS]


async def test_one_that_hangs_is_not_waited_for_longer_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "RETIRE_SECONDS", 0.01)
    engine, receiver = engines.opened(tmp_path), Hanging()
    with writing(engine) as connection:
        outbox.put(connection, "hive", notice(), NOON)
    with ThreadPoolExecutor(1) as letters:
        async with asyncio.TaskGroup() as group:
            there = Opening(group, engine, letters, lambda: NOON).office(HIVE, Made(receiver), MARKS)
            await eventually(lambda: receiver.got == 1)
            await office.close([there])
            await eventually(lambda: receiver.closed)
    engine.dispose()
