"""What of an alert may be looked up elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.text import UNSAFE
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.routes.made import alert
from zeus_hub.notice import Observable
from zeus_hub.routes import observables as observables_module
from zeus_hub.routes.observables import (
    LONGEST,
    LONGEST_ADDRESS,
    LONGEST_NAME,
    is_internal,
    observables,
)

REMEMBERING = [each for each in vars(observables_module).values() if hasattr(each, "cache_info")]


def of(**said: str) -> list[Observable]:
    """Return what an alert names that says nothing else."""
    stored = StoredAlert()
    for name, text in said.items():
        setattr(stored.alert, name, text)
    return list(observables(stored))


@pytest.mark.parametrize(
    ("address", "internal"),
    [
        ("203.0.113.9", True),  # for documentation: nobody's
        ("8.8.8.8", False),
        ("10.0.0.1", True),
        ("172.16.0.1", True),
        ("100.64.0.1", True),  # Tailscale
        ("127.0.0.1", True),
        ("169.254.1.1", True),
        ("fe80::1", True),
        ("fd00::1", True),
        ("2606:4700::1111", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("", None),
        ("acme", None),
    ],
)
def test_an_address_is_of_a_public_network_or_not(*, address: str, internal: bool | None) -> None:
    assert is_internal(address) is internal


def test_both_ends_of_a_connection_are_named() -> None:
    assert list(observables(alert(ips=("8.8.8.8", "10.0.0.5")))) == [
        Observable("ip", "8.8.8.8"),
        Observable("ip", "10.0.0.5", internal=True),
    ]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"domain": "evil.example"}, [Observable("domain", "evil.example")]),
        ({"domain": "dc1.corp"}, [Observable("domain", "dc1.corp", internal=True)]),
        ({"domain": "printer"}, [Observable("domain", "printer", internal=True)]),
        ({"domain": "10.0.0.1"}, [Observable("ip", "10.0.0.1", internal=True)]),
        ({"domain": "x" * LONGEST_NAME}, [Observable("domain", "x" * LONGEST_NAME, internal=True)]),
        ({"domain": "x" * (LONGEST_NAME + 1)}, []),
        ({"domain": "::1%" + "x" * LONGEST_ADDRESS}, []),
        ({"url": "http://evil.example/a"}, [Observable("url", "http://evil.example/a")]),
        ({"url": "http://10.0.0.1:8080/a"}, [Observable("url", "http://10.0.0.1:8080/a", internal=True)]),
        ({"url": "http://[::1/"}, [Observable("url", "http://[::1/")]),
        ({"url": "x" * (LONGEST + 1)}, []),
        ({"user": "ann@acme.example"}, [Observable("mail", "ann@acme.example")]),
        ({"user": "ann"}, []),
        ({"user_agent": "curl/8.3.0"}, [Observable("user-agent", "curl/8.3.0")]),
    ],
)
def test_names_are_what_they_look_like(said: dict[str, str], found: list[Observable]) -> None:
    assert of(**said) == found


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("fe80::1%eth0", [Observable("ip", "fe80::1", internal=True)]),
        ("2606:4700::1%evil <b>", [Observable("ip", "2606:4700::1")]),
        ("2606:4700::1%" + "x" * LONGEST_ADDRESS, []),
        ("2606:4700::1%", []),
        ("8.8.8.8%eth0", []),
    ],
)
def test_what_stands_behind_an_address_is_left_out(address: str, found: list[Observable]) -> None:
    assert list(observables(alert(ips=(address, "")))) == found
    if found:
        assert of(domain=address) == found


def test_what_is_too_long_is_not_remembered() -> None:
    """However long it is, and however often such comes."""
    before = sum(cached.cache_info().currsize for cached in REMEMBERING)
    for number in range(20):
        stored, long = StoredAlert(), f"{number}" + "x" * 5000
        stored.alert.source_endpoint.ip = stored.alert.domain = stored.alert.url = stored.alert.file.path = (
            long
        )
        stored.alert.host.ip = f"2606:4700::1%{long}"
        assert list(observables(stored)) == []

    assert sum(cached.cache_info().currsize for cached in REMEMBERING) == before


def test_a_file_is_remembered_without_its_folders() -> None:
    kept = observables_module._known_file.cache_info().currsize
    for number in range(20):
        stored = StoredAlert()
        stored.alert.file.path = f"/{number}/" + "x" * 5000 + "/evil.sh"
        assert list(observables(stored)) == [Observable("filename", "evil.sh")]

    assert observables_module._known_file.cache_info().currsize <= kept + 1


def test_files_and_machines_are_named() -> None:
    stored = StoredAlert()
    stored.alert.file.path, stored.alert.file.md5 = "C:\\Users\\ann\\evil.exe", "0" * 32
    stored.alert.host.name, stored.alert.host.ip = "pc-7", "10.0.0.7"

    assert set(observables(stored)) == {
        Observable("filename", "evil.exe"),
        Observable("hash", "0" * 32),
        Observable("hostname", "pc-7", internal=True),
        Observable("ip", "10.0.0.7", internal=True),
    }


@given(st.text(), st.text())
def test_hostile_text_arrives_harmlessly(text: str, path: str) -> None:
    stored = StoredAlert()
    stored.alert.domain = stored.alert.url = stored.alert.host.name = stored.alert.file.md5 = text
    stored.alert.source_endpoint.ip = stored.alert.user_agent = text
    stored.alert.file.path, stored.alert.user = path, text + "@"

    for found in observables(stored):
        assert not UNSAFE.search(found.value)
        assert 0 < len(found.value) <= LONGEST
