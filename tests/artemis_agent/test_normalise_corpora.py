"""Real input gives the alerts that were counted by other means; odd lines have the outcome of their name."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from artemis_agent.normalise import Normalised, NotAnAlert, Undecodable, glance, normalise
from artemis_agent.source import Kind, Record
from socme import severity
from socme.v1.alert_pb2 import Alert

NOW = datetime(2026, 11, 22, 19, 3, 36, 500_000, tzinfo=UTC)
KINDS: tuple[Kind, Kind] = ("suricata", "wazuh")
Manifest = dict[str, Any]  # by file, what tools that share nothing with this project counted in it


def outcome(raw: bytes, kind: Kind, offset: int = 0) -> Normalised | NotAnAlert | Undecodable:
    return normalise(Record(raw, b"file-1", offset), kind=kind, origin="/var/log/x.json", observed=NOW)


def read_lines(path: Path) -> list[bytes]:
    return path.read_bytes().removesuffix(b"\n").split(b"\n")


EVE_FILES = ("eve.json", "eve-rich.json", "eve-live.json")
WAZUH_FILES = ("alerts.json", "alerts-next-day.json")


@pytest.fixture(scope="session")
def manifest(corpora: Path) -> Manifest:
    files: Manifest = json.loads((corpora / "dev" / "manifest.json").read_bytes())["files"]
    return files


@pytest.fixture(scope="session")
def normalised(corpora: Path) -> dict[str, list[Normalised]]:
    found = {}
    for name in (*EVE_FILES, *WAZUH_FILES):
        kind: Kind = "suricata" if name in EVE_FILES else "wazuh"
        lines = read_lines(corpora / "dev" / name)
        outcomes = [outcome(line, kind, offset) for offset, line in enumerate(lines)]
        assert not any(isinstance(each, Undecodable) for each in outcomes)
        good = [each for each in outcomes if isinstance(each, Normalised)]
        assert all(each.alert.raw == lines[each.alert.offset] for each in good)  # byte for byte
        found[name] = good
    return found


def counted(values: Iterable[object]) -> dict[str, int]:
    return dict(Counter(str(value) for value in values))


def top(truth: Mapping[str, int], found: Mapping[str, int]) -> dict[str, int]:
    """Return what was found of the names in a list that holds only the most frequent ones."""
    return {name: found.get(name, 0) for name in truth}


@pytest.mark.parametrize("name", EVE_FILES)
def test_suricata_counts_are_the_manifests(
    name: str, manifest: Manifest, normalised: dict[str, list[Normalised]]
) -> None:
    truth, alerts = manifest[name], [each.alert for each in normalised[name]]
    assert len(alerts) == truth["alerts"]
    assert counted(each.rule.level for each in alerts) == truth["alerts_by_severity"]
    bands = {"1": "high", "2": "medium"}
    expected: Counter[str] = Counter()
    for level, number in truth["alerts_by_severity"].items():
        expected[bands.get(level, "low")] += number
    critical = sum(severity.name(each.severity) == "critical" for each in alerts)
    assert critical == sum(b'"signature_severity":["Critical"]' in each.raw for each in alerts)
    if not critical:
        assert counted(severity.name(each.severity) for each in alerts) == expected
    assert counted({1: "allowed", 2: "blocked"}[each.action] for each in alerts) == truth["alerts_by_action"]
    assert counted(each.rule.category or "(empty)" for each in alerts) == truth["alerts_by_category"]
    transports = Counter({key.lower(): number for key, number in truth["alerts_by_proto"].items()})
    assert counted(each.network.transport or "(none)" for each in alerts) == transports
    assert sum(not each.source_endpoint.ip for each in alerts) == truth["alerts_without_ip"]
    assert sum(":" in each.source_endpoint.ip for each in alerts) == truth["alerts_ipv6"]
    assert sum(not each.network.flow_id for each in alerts) == truth["alerts_without_flow_id"]
    assert sum(bool(each.network.vlans) for each in alerts) == truth["alerts_with_vlan"]
    assert (
        counted(each for one in alerts for each in one.threat.technique_ids) == truth["mitre_technique_ids"]
    )
    rules = counted(f"{each.rule.generator}:{each.rule.id}" for each in alerts)
    assert len(rules) == truth["distinct_gid_sid"]
    assert top(truth["top_gid_sid"], rules) == truth["top_gid_sid"]
    assert all(each.HasField("time") for each in alerts)
    assert len({each.id for each in alerts}) == len(alerts)


@pytest.mark.parametrize("name", WAZUH_FILES)
def test_wazuh_counts_are_the_manifests(
    name: str, manifest: Manifest, normalised: dict[str, list[Normalised]]
) -> None:
    truth, alerts = manifest[name], [each.alert for each in normalised[name]]
    assert len(alerts) == truth["alerts"]
    assert counted(each.rule.level for each in alerts) == truth["alerts_by_level"]
    bands = {band.partition("(")[0]: number for band, number in truth["alerts_by_band"].items()}
    own = [each for each in normalised[name] if each.copy_of is None]
    copies = len(alerts) - len(own)
    bands["low"] -= copies  # level 3 is Wazuh's; the copies go by Suricata's severity
    assert counted(severity.name(each.alert.severity) for each in own) == bands
    assert counted(f"{each.host.id} {each.host.name}" for each in alerts) == truth["alerts_by_agent"]
    assert counted(each.decoder or "(none)" for each in alerts) == truth["alerts_by_decoder"]
    assert counted(each.location for each in alerts) == truth["alerts_by_location"]
    rules = counted(each.rule.id for each in alerts)
    assert len(rules) == truth["distinct_rule_ids"]
    assert top(truth["top_rule_ids"], rules) == truth["top_rule_ids"]
    groups = counted(group for each in alerts for group in each.rule.groups)
    assert top(truth["top_groups"], groups) == truth["top_groups"]
    techniques = counted(each for one in own for each in one.alert.threat.technique_ids)
    assert techniques == truth["mitre_ids"]
    assert sum(bool(each.alert.file.path) for each in own) == truth["alerts_with_syscheck"]
    assert sum(not each.host.ip for each in alerts) == truth["alerts_without_agent_ip"]
    addresses = counted(each.alert.source_endpoint.ip for each in own)
    assert top(truth["top_srcip"], addresses) == truth["top_srcip"]
    assert all(each.HasField("time") and (each.message or each.rule.name) for each in alerts)


def test_wazuhs_copies_are_exactly_those_of_the_alerts_that_were_read(
    manifest: Manifest, normalised: dict[str, list[Normalised]]
) -> None:
    keys = {each.copy_key for name in EVE_FILES for each in normalised[name]}
    assert None not in keys
    for name in WAZUH_FILES:
        copies = [each for each in normalised[name] if each.copy_of in keys]
        assert len(copies) == manifest[name]["of_which_also_in_eve_json"]
        assert {each.alert.rule.id for each in copies} == {"86601"}
    live = {each.copy_key for each in normalised["eve-live.json"]}
    assert not any(each.copy_of in live for name in WAZUH_FILES for each in normalised[name])


def test_a_copy_says_the_same_as_its_original(normalised: dict[str, list[Normalised]]) -> None:
    """What a site without eve.json sees of Suricata is what a site with it sees."""
    originals: dict[int | None, list[Alert]] = {}
    for each in normalised["eve.json"]:
        originals.setdefault(each.copy_key, []).append(each.alert)

    def shared(made: Alert) -> tuple[object, ...]:
        ends = (made.source_endpoint, made.destination_endpoint)
        names = (made.url, made.domain, made.user_agent, made.file.path, tuple(made.threat.technique_ids))
        return (*((end.ip, end.port) for end in ends), *names, str(made.network), made.severity, made.action)

    for copied in (each for name in WAZUH_FILES for each in normalised[name] if each.copy_of is not None):
        assert shared(copied.alert) in [shared(each) for each in originals[copied.copy_of]]


# What may go either way by the corpus's index, and the way it goes here.
PINNED = {
    # The last one counts, as in jq and in every JSON library that Suricata's users have.
    "duplicate key: event_type flow then alert": "alert",
    "duplicate key: event_type alert then dns": "not-alert",
    # Mendable without guessing.
    "raw control characters in a string": "alert",
    "number with 5000 digits": "alert",
    "record glued after NUL bytes (crash, file system filled with zeros)": "alert",
    "syslog prefix @cee:": "alert",
    "NaN token": "alert",
    # Not mendable without guessing: kept as dead letters.
    "deep nesting 100000": "invalid",
    "two records on one line, no line feed between": "invalid",
}

# What of some odd alerts is kept or left out.
KEPT: Mapping[str, Mapping[str, object]] = {
    "IPv6 with zone, mapped IPv4": {
        "source_endpoint.ip": "fe80::1",
        "destination_endpoint.ip": "::ffff:192.0.2.1",
    },
    "IP that is no IP": {
        "source_endpoint.ip": "",
        "destination_endpoint.ip": "",
        "source_endpoint.port": 443,
    },
    "src_port as string, ports out of range": {"destination_endpoint.port": 0},
    "alert is null": {"rule.id": "", "severity": 0},
    "alert is a list": {"rule.id": "", "severity": 0},
    "alert object missing": {"rule.id": "", "severity": 0},
    "alert.metadata values not all lists of strings": {
        "threat.technique_ids": ["T1071", "T1071.001", "bogus", "7"],
        "threat.tactic_ids": ["TA0011"],
    },
    "empty signature (rule without msg, real)": {"rule.name": ""},
    "severity missing": {"severity": 0},
    "severity 0": {"severity": 0, "rule.level": 0},
    "severity 255 (Suricata priority: accepts 1..255)": {"severity": 1, "rule.level": 255},
    "negative flow_id": {"network.flow_id": ""},
    "flow_id over 64 bits": {"network.flow_id": "", "network.vlans": [6]},
    "lone surrogate escape": {"rule.name": "lone surrogate \ufffd end"},
    "local time that does not exist": {"time": "2026-03-29T01:30:00Z"},
    "leap second": {"time": "2017-01-01T00:00:00Z"},
    "timestamp with 7 digit fraction (real, pcap with usec > 999999)": {
        "time": "2023-12-08T01:42:11.101104Z"
    },
    "numeric timestamp": {"time": "2026-11-22T19:03:36.500Z"},
    "timestamp missing": {"time": None},
    "timestamp null": {"time": None},
    "empty timestamp": {"time": None},
    "timestamp without zone": {"time": None},
    "year 0000": {"time": None},
    "wazuh: level as string": {"severity": 3, "rule.level": 12},
    "wazuh: level 16": {"rule.id": "86601", "rule.level": 16, "severity": 1},  # Suricata's 3 counts
    "wazuh: rule.level missing (level 0 is left out by to_json.c)": {"severity": 1},
    "wazuh: agentless device, no agent object": {"host.id": ""},
    "wazuh: no groups, no mitre": {"rule.groups": [], "rule.category": "", "threat.technique_ids": []},
    "wazuh: data not an object": {"source_endpoint.ip": "", "severity": 2},
    "wazuh: agent without ip": {"host.ip": ""},
    "wazuh: DST hour, first pass": {"time": "2026-10-25T00:30:00.123Z"},
    "wazuh: DST hour, second pass": {"time": "2026-10-25T01:30:00.123Z"},
}


def odd_lines(corpora: Path) -> list[tuple[str, str, bytes]]:
    """Return name, expected outcome and line of every odd case."""
    text = (corpora / "dev" / "odd.jsonl").read_bytes()
    index = json.loads((corpora / "dev" / "odd.index.json").read_bytes())
    return [
        (
            each["case"],
            each["expect"],
            text[each["offset"] : each["offset"] + each["length"]].removesuffix(b"\n"),
        )
        for each in index
    ]


def word(found: Normalised | NotAnAlert | Undecodable, kind: Kind) -> str:
    if isinstance(found, Normalised):
        return "alert" if kind == "suricata" else "wazuh-alert"
    return "not-alert" if isinstance(found, NotAnAlert) else "invalid"


def test_every_odd_line_has_its_named_outcome(corpora: Path) -> None:
    """Each line is read as either kind: an alert of the one kind is none of the other."""
    wrong = []
    for case, expect, raw in odd_lines(corpora):
        expected = PINNED[case] if expect == "either" else expect
        for kind in KINDS:
            own = (
                expected
                if expected in ("invalid", "alert" if kind == "suricata" else "wazuh-alert")
                else "not-alert"
            )
            if (found := word(outcome(raw, kind), kind)) != own:
                wrong.append((case, kind, own, found))
    assert wrong == []


def test_every_case_that_may_go_either_way_is_pinned(corpora: Path) -> None:
    assert {case for case, expect, _ in odd_lines(corpora) if expect == "either"} == set(PINNED)


def told(found: Normalised | NotAnAlert | Undecodable) -> object:
    """Return what the filter asks of an outcome."""
    if not isinstance(found, Normalised):
        return found
    return found.alert.severity, found.alert.rule, found.copy_of


def test_a_glance_tells_what_the_filter_asks_as_the_whole_does(corpora: Path) -> None:
    lines = [raw for _, _, raw in odd_lines(corpora)]
    lines += [line for name in (*EVE_FILES, *WAZUH_FILES) for line in read_lines(corpora / "dev" / name)]
    for raw in lines:
        for kind in KINDS:
            assert told(glance(Record(raw, b"file-1", 0), kind=kind)) == told(outcome(raw, kind)), raw


def test_what_is_good_of_an_odd_line_is_kept(corpora: Path) -> None:
    lines = {case: (expect, raw) for case, expect, raw in odd_lines(corpora)}
    assert set(KEPT) <= set(lines)
    for case, fields in KEPT.items():
        expect, raw = lines[case]
        found = outcome(raw, "wazuh" if expect == "wazuh-alert" else "suricata")
        assert isinstance(found, Normalised), case
        assert found.alert.raw == raw
        assert {name: field(found.alert, name) for name in fields} == fields, case


def field(made: Alert, name: str) -> object:
    if name == "time":
        return made.time.ToJsonString() if made.HasField("time") else None
    value: object = made
    for part in name.split("."):
        value = getattr(value, part)
    return value if isinstance(value, (str, int)) else list(value)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "alerts", "invalid"),
    [
        ("odd-truncated.jsonl", 12, 1),
        ("odd-truncated-midchar.jsonl", 3, 1),
        ("odd-noeol.jsonl", 4, 0),  # the last one is whole: the line feed is the tail's to wait for
        ("odd-crlf.jsonl", 12, 0),
        ("odd-bom.jsonl", 4, 0),
        ("odd-nul.jsonl", 8, 2),  # the two blocks of NULs
        ("odd-cee-prefix.jsonl", 3, 0),
        ("odd-huge.jsonl", 5, 0),
    ],
)
def test_odd_files(corpora: Path, name: str, alerts: int, invalid: int) -> None:
    found = Counter(
        word(outcome(line, "suricata"), "suricata") for line in read_lines(corpora / "dev" / name)
    )
    assert (found["alert"], found["invalid"]) == (alerts, invalid)


def test_a_record_over_many_lines_is_refused_and_counted(corpora: Path) -> None:
    """Suricata's `compact: no` is not supported; it must be seen, and no alert be made up from pieces."""
    found = Counter(
        word(outcome(line, "suricata"), "suricata")
        for line in read_lines(corpora / "dev" / "odd-multiline.json")
    )
    assert found["alert"] == 0
    assert found["invalid"] > 100
