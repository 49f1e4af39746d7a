"""Settings for TheHive that could never work are refused before anything is sent."""

from typing import Any

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.receivers.thehive.connected import settings
from tests.zeus_hub.receivers.thehive.hive import KEY
from zeus_hub.receivers.thehive.settings import check


def test_ordinary_settings_pass() -> None:
    check(settings(organisation="SOC team é", url="https://hive.example/thehive"))
    check(settings(link="https://soc.example:8443/{client}/{user.name}?q={group}#{first}"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "hive.example"},
        {"url": "https://exa mple"},
        {"url": "https://[::1"},
        {"url": "https://hive.example:port"},
        {"url": "https://hive.example:99999"},
        {"url": "file:///etc/passwd"},
        {"url": "https://"},
        {"url": "https://ann:secret@hive.example"},
        {"url": "https://hive.example?x=1"},
        {"key": ""},
        {"key": f"{KEY}\n"},
        {"key": "two words"},
        {"type": ""},
        {"type": "a;b"},
        {"source": "x" * 33},
        {"tags": ("",)},
        {"tlp": 5},
        {"tlp": -1},
        {"pap": 4},
        {"custom_fields": {"x" * 65: 1}},
        {"organisation": "a\nb"},
        {"organisations": {"acme": "组织"}},
        {"link": "soc.example/{group}"},
        {"link": "javascript:alert({group})"},
        {"link": "https://{client}.soc.example/"},
        {"link": "https://soc.example:{count}/"},
        {"link": "https://ann:secret@soc.example/"},
        {"link": "https://soc.example/a b"},
        {"link": "https://soc.example:99999/"},
        {"pause_seconds": -1.0},
        {"limit_seconds": 0.0},
    ],
)
def test_what_thehive_could_never_accept_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OperatorError) as caught:
        check(settings(**wrong))
    assert caught.value.mend
    assert "secret" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_client_without_a_name_of_its_own_has_the_common_organisation() -> None:
    both = settings(organisation="soc")

    assert [both.organisation_of(client) for client in ("acme", "initech")] == ["acme", "soc"]
    assert settings().organisation_of("initech") == ""
