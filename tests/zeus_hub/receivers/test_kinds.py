"""Receivers as they are described in a file."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from socme.errors import OperatorError
from zeus_hub.receivers.kinds import KINDS, build, poll, templates
from zeus_hub.receivers.mail import Mail
from zeus_hub.receivers.push import Push
from zeus_hub.receivers.thehive.receiver import TheHive
from zeus_hub.receivers.webhook import Webhook

PARIS = ZoneInfo("Europe/Paris")
SECRET = "very-secret"
MAIL = {"kind": "mail", "host": "mx", "sender": "zeus@soc.example", "to": ["soc@soc.example"]}
PUSH = {"kind": "apprise", "url_file": "push"}
HOOK = {"kind": "webhook", "url_file": "url", "secret_file": "secret"}
HIVE = {"kind": "thehive", "url": "https://hive.example", "key_file": "secret", "organisation": "acme"}


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "url").write_text(f"https://example.org/{SECRET}\n")
    (tmp_path / "push").write_text(f"json://127.0.0.1/{SECRET}\n")
    return tmp_path


@pytest.mark.parametrize(("options", "kind"), [(MAIL, Mail), (PUSH, Push), (HOOK, Webhook), (HIVE, TheHive)])
async def test_each_kind_is_made_of_its_table(options: dict[str, Any], kind: type, beside: Path) -> None:
    made = build("soc", options, beside)
    assert isinstance(made, kind)
    await made.close()


async def test_a_thehive_can_be_asked_and_nobody_else(beside: Path) -> None:
    asks = poll(HIVE, beside)
    assert asks is not None
    assert asks.organisations == ("acme",)
    await asks.close()
    assert [poll(options, beside) for options in (MAIL, PUSH, HOOK)] == [None, None, None]


def test_every_kind_is_tried_here() -> None:
    assert {str(each["kind"]) for each in (MAIL, PUSH, HOOK, HIVE)} == KINDS.keys()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "does not say its kind"),
        ({"kind": "pigeon"}, "no kind 'pigeon'"),
        ({"kind": ["mail"]}, "no kind"),
        (MAIL | {"hosst": "x"}, "hosst: there is no such key"),
        ({"kind": "mail"}, "host: this key is needed"),
        (MAIL | {"port": 0}, "port: "),
        (MAIL | {"zone": "Paris"}, "no time zone 'Paris'"),
        (MAIL | {"language": "xx"}, "language: "),
        (MAIL | {"to": []}, "to: "),
        (MAIL | {"sender": "nobody"}, "mail address"),
        (MAIL | {"user": "u", "password_file": "missing"}, "missing cannot be read"),
        (MAIL | {"ca_file": "secret"}, "secret cannot be used"),
        (MAIL | {"templates": "nowhere"}, "nowhere"),
        (HIVE | {"tlp": "purple"}, "tlp: "),
        (HIVE | {"key_file": "empty"}, "empty is empty"),
        (PUSH | {"url_file": "secret"}, "Apprise"),
    ],
)
def test_what_is_wrong_is_told_and_no_secret(options: dict[str, Any], told: str, beside: Path) -> None:
    (beside / "empty").touch()
    with pytest.raises(OperatorError) as caught:
        build("soc", options, beside)
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)


def test_words_are_those_of_the_table_with_times_of_any_zone(tmp_path: Path) -> None:
    found = templates({"language": "fr", "zone": "UTC", "to": ["a@b.example"]}, tmp_path, PARIS)

    assert (found.language, found.zone) == ("fr", PARIS)
    assert templates({}, tmp_path, PARIS).language == "en"
    with pytest.raises(OperatorError, match="language"):
        templates({"language": "de"}, tmp_path, PARIS)
    with pytest.raises(OperatorError, match="no such folder"):
        templates({"templates": "words"}, tmp_path, PARIS)
