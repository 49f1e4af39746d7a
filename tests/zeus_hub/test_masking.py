"""Nothing of a machine, a person or an address stays in a rule's name."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.v1.alert_pb2 import Alert, AlertSource, Endpoint, File, Host, Rule
from zeus_hub.masking import LONGEST, mask

WAZUH, SURICATA = AlertSource.ALERT_SOURCE_WAZUH, AlertSource.ALERT_SOURCE_SURICATA


def wazuh(name: str, line: object) -> Alert:
    return Alert(source=WAZUH, rule=Rule(name=name), raw=json.dumps(line).encode())


@pytest.mark.parametrize(
    "name",
    [
        "ET POLICY GNU/Linux APT User-Agent Outbound likely related to package management",
        "ET WEB_SERVER /etc/passwd Detected in URI",
        "SURICATA STREAM 3way handshake SYNACK with wrong ack",
        "ET EXPLOIT Apache log4j RCE Attempt (http ldap) (CVE-2021-44228) 2.14.1",
        "ET MALWARE Win32/Foo::Bar CnC at 12:30",
        "",
    ],
)
def test_a_fixed_text_stays(name: str) -> None:
    assert mask(Alert(source=SURICATA, rule=Rule(name=name))) == name


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("login from 192.0.2.10.", "login from ***."),
        ("login from 192.0.2.10:22", "login from ***:22"),
        ("net 192.0.2.0/24", "net ***/24"),
        ("login from 2001:db8::7 again", "login from *** again"),
        ("login from ::1", "login from ***"),
        ("login from ::ffff:192.0.2.1", "login from ***"),
        ("card 00:1b:44:11:3a:b7 seen", "card *** seen"),
        ("card 00-1B-44-11-3A-B7 seen", "card *** seen"),
        ("mail of jo@acme.example", "mail of ***"),
        ("logon ACME\\jo failed", "logon *** failed"),
        ("fetched https://acme.example/x?y", "fetched ***"),
    ],
)
def test_what_looks_like_an_address_is_masked(name: str, masked: str) -> None:
    assert mask(Alert(source=SURICATA, rule=Rule(name=name))) == masked


def test_what_the_alert_names_is_masked() -> None:
    named = {
        "host": Host(name="dc1.acme.example", ip="fe80::1"),
        "user": "jo",
        "process": "C:\\tools\\evil.exe",
        "file": File(path="/srv/plans.txt"),
        "domain": "acme.example",
        "url": "/login?x=1",
        "user_agent": "Fetcher/2 (pc-7)",
        "source_endpoint": Endpoint(ip="192.0.2.1", mac="aa:bb:cc:dd:ee:ff"),
    }
    for value in (
        "DC1.acme.example",
        "dc1",
        "Jo",
        "evil.exe",
        "plans.txt",
        "acme.example",
        "/login?x=1",
        "fetcher/2 (pc-7)",
    ):
        alert = Alert(source=SURICATA, rule=Rule(name=f"Joined by {value} today"), **named)  # type: ignore[arg-type]

        assert mask(alert) == "Joined by *** today"


def test_a_node_is_not_named_either() -> None:
    assert mask(Alert(source=SURICATA, rule=Rule(name="acme-1 is odd")), "acme-1") == "*** is odd"


def test_what_a_line_of_wazuh_names_is_masked_also_where_the_alert_has_no_field_for_it() -> None:
    line = {
        "rule": {"description": "static"},
        "agent": {"name": "web-7"},
        "data": {"win": {"eventdata": {"subjectUserName": "jane", "list": [{"ipAddress": "host9"}]}}},
        "predecoder": {"hostname": "mailer"},
    }

    assert mask(wazuh("jane on web-7 via mailer from host9", line)) == "*** on *** via *** from ***"


def test_what_a_line_only_calls_by_its_kind_stays() -> None:
    """As the signature that Wazuh's rule for Suricata is filled in with, and numbers."""
    line = {"data": {"alert": {"signature": "many ports tried"}, "uid": "0", "protocol": "ssh"}}

    assert mask(wazuh("Alert 0 ssh - many ports tried", line)) == "Alert 0 ssh - many ports tried"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"a":' * 100_000, b'{"data":{"user":"j'])
def test_where_the_line_cannot_be_read_nothing_is_told(raw: bytes) -> None:
    assert mask(Alert(source=WAZUH, rule=Rule(name="user jo"), raw=raw)) == ""


def test_a_line_need_not_be_utf_8() -> None:
    assert mask(Alert(source=WAZUH, rule=Rule(name="user jo"), raw=b'{"user":"jo","x":"\xe9"}')) == "user ***"


def test_a_name_that_is_too_long_is_not_cut_in_the_middle_of_somebodys() -> None:
    fits = "x" * (LONGEST - 3) + " jo"

    assert mask(Alert(source=SURICATA, rule=Rule(name=fits), user="jo")).endswith(" ***")
    assert mask(Alert(source=SURICATA, rule=Rule(name="x" + fits), user="jo")) == ""


@pytest.mark.parametrize("text", ["a", "@", "\\", ":", "1.", "a:", "a.", "http://", "aa-", "a\\", "jo@"])
def test_no_name_takes_long(text: str) -> None:
    """What an attacker repeats costs no more than its length."""
    name = text * (LONGEST // len(text))
    began = time.process_time()
    for _ in range(10):
        mask(Alert(source=SURICATA, rule=Rule(name=name)))

    assert time.process_time() - began < 0.5


@given(st.text(max_size=3 * LONGEST), st.binary(max_size=50), st.sampled_from([WAZUH, SURICATA]))
def test_anything_can_be_masked(name: str, raw: bytes, source: AlertSource.ValueType) -> None:
    assert len(mask(Alert(source=source, rule=Rule(name=name), raw=raw, user="x"))) <= LONGEST * 3
