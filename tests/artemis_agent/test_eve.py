"""Parts of an EVE object that differ between versions, layers and the way through Wazuh."""

import pytest

from artemis_agent import eve
from artemis_agent.eve import Eve
from socme.v1.alert_pb2 import Severity

TIME = "2026-11-16T06:06:14.109831+0000"


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ({"http": {"hostname": "a.example"}, "dns": {"rrname": "b.example"}}, "a.example"),
        ({"tls": {"sni": "a.example"}}, "a.example"),
        ({"tls": {"version": "TLS 1.2"}}, ""),
        ({"quic": {"sni": "a.example"}}, "a.example"),
        ({"dns": {"rrname": "a.example"}}, "a.example"),
        (
            {"dns": {"query": [{"type": "query", "rrname": "a.example"}, {"rrname": "b.example"}]}},
            "a.example",
        ),
        ({"dns": {"query": {"rrname": "a.example"}}}, "a.example"),
        ({"dns": {"version": 3, "type": "request", "queries": [{"rrname": "a.example"}]}}, "a.example"),
        ({"dns": {"version": 2, "answer": {"rrname": "a.example"}}}, "a.example"),
        ({"dns": {"query": []}}, ""),
        ({"dns": {"query": [None]}}, ""),
        ({"http": "text", "tls": [], "dns": 5}, ""),
        ({}, ""),
    ],
)
def test_domain(layers: dict[str, object], expected: str) -> None:
    assert eve.domain(Eve(**layers)) == expected


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ({"hostname": "a.example", "url": "/x?y"}, "http://a.example/x?y"),
        ({"hostname": "a.example", "http_port": 8001, "url": "/x"}, "http://a.example:8001/x"),
        ({"hostname": "a.example", "url": "http://b.example/"}, "http://b.example/"),
        ({"url": "/x"}, "/x"),
        ({"hostname": "a.example"}, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_url(http: object, expected: str) -> None:
    assert eve.url(Eve(http=http)) == expected


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        ({"severity": 1}, Severity.SEVERITY_HIGH),
        ({"severity": "2"}, Severity.SEVERITY_MEDIUM),
        ({"severity": 3, "metadata": {"signature_severity": ["Critical"]}}, Severity.SEVERITY_CRITICAL),
        ({"severity": 3, "metadata": {"signature_severity": "critical"}}, Severity.SEVERITY_CRITICAL),
        ({"severity": 3, "metadata": {"signature_severity": ["Major"]}}, Severity.SEVERITY_LOW),
        ({"severity": 3, "metadata": {"signature_severity": None}}, Severity.SEVERITY_LOW),
        ({"severity": 3, "metadata": "Critical"}, Severity.SEVERITY_LOW),
        ({"severity": "bad"}, Severity.SEVERITY_UNSPECIFIED),
        ({}, Severity.SEVERITY_UNSPECIFIED),
        (None, Severity.SEVERITY_UNSPECIFIED),
    ],
)
def test_severity(alert: object, expected: Severity.ValueType) -> None:
    assert eve.severity(Eve(alert=alert)) == expected


@pytest.mark.parametrize(
    ("sid", "flow", "wazuh_sid", "wazuh_flow"),
    [
        (2200074, 478019051995494, "2200074", "478019051995494.000000"),
        (1, 1234, "1", "1234"),
        (4294967295, None, "4294967295.000000", None),
    ],
)
def test_an_alert_and_its_copy_have_the_same_key(
    sid: int, flow: int | None, wazuh_sid: str, wazuh_flow: str | None
) -> None:
    """Wazuh writes numbers as strings, large ones with six zeros behind the point."""
    original = eve.join_key(Eve(timestamp=TIME, flow_id=flow), eve.digits(sid))
    assert (
        original == eve.join_key(Eve(timestamp=TIME, flow_id=wazuh_flow), eve.digits(wazuh_sid)) is not None
    )


@pytest.mark.parametrize(
    ("record", "signature"),
    [
        (Eve(), 1),
        (Eve(timestamp=""), 1),
        (Eve(timestamp=1795374216.5), 1),
        (Eve(timestamp=TIME), None),
        (Eve(timestamp=TIME), []),
    ],
)
def test_without_time_or_signature_there_is_no_key(record: Eve, signature: object) -> None:
    """Else all such alerts would be copies of each other."""
    assert eve.join_key(record, eve.digits(signature)) is None
