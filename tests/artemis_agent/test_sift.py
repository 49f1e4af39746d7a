"""What the byte search keeps of a block, over every odd spelling and the corpora of real input."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.sift import Sieve

FLOW = b'{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"flow","flow":{"alerted":false}}\n'
ALERT = b'{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"alert","alert":{"signature_id":1}}\n'
MANY = 2_000  # more lines than the sieve decodes at the beginning of a file


def kept(sieve: Sieve, text: bytes) -> list[bytes]:
    block = bytearray(text)
    return [text[begin:end] for begin, end in sieve.sift(block, len(block)).spans]


def test_the_usual_spelling_is_found_in_every_line() -> None:
    sieve = Sieve("suricata")
    text = (FLOW + ALERT) * MANY

    assert kept(sieve, text) == [ALERT[:-1]] * MANY
    assert kept(sieve, ALERT + FLOW + ALERT) == [ALERT[:-1]] * 2


def test_only_the_part_of_the_block_that_counts_is_searched() -> None:
    block = bytearray(FLOW * MANY + ALERT)

    assert Sieve("suricata").sift(block, len(FLOW) * MANY).spans == []


def test_text_in_a_string_is_no_alert() -> None:
    assert kept(Sieve("suricata"), rb'{"event_type":"http","a":"x \"event_type\":\"alert\""}' + b"\n") == []


@pytest.mark.parametrize(
    "alert",
    [
        b'{ "event_type" : "alert" }',
        b'{"event_type":\t"alert"}',
        b'{"\\u0065vent_type":"alert"}',
        b'{"event_type": "al\\u0065rt"}',
    ],
)
def test_an_unusual_spelling_has_every_line_decoded_from_there_on(alert: bytes) -> None:
    """It is seen in the first thousand lines, or in the line of each block that is decoded."""
    early = Sieve("suricata")
    late = Sieve("suricata")

    assert kept(early, FLOW + alert + b"\n" + FLOW * MANY + alert + b"\n") == [alert] * 2
    assert kept(late, FLOW * MANY) == []
    assert kept(late, alert + b"\n" + FLOW * MANY + alert + b"\n") == [alert] * 2
    assert kept(late, FLOW + alert + b"\n") == [alert]


def test_a_line_that_is_decoded_and_is_not_json_goes_on_to_be_counted() -> None:
    assert kept(Sieve("suricata"), FLOW + b"what is this\n" + FLOW) == [b"what is this"]


def test_blank_lines_and_lines_of_nul_bytes_are_no_lines() -> None:
    block = bytearray(FLOW + b"\n \r\n\x00\x00\n" + FLOW)
    sifted = Sieve("suricata").sift(block, len(block))

    assert (sifted.spans, sifted.lines) == ([], 2)


def test_lines_are_counted_whether_they_are_decoded_or_not() -> None:
    block = bytearray(FLOW * MANY + ALERT.rstrip())

    assert Sieve("suricata").sift(block, len(block)).lines == MANY + 1


def test_a_carriage_return_belongs_to_the_line() -> None:
    assert kept(Sieve("suricata"), ALERT[:-1] + b"\r\n") == [ALERT[:-1] + b"\r"]


def test_every_line_of_wazuh_goes_on() -> None:
    block = bytearray(b'{"rule":{}}\n\n \nnot json\n')
    sifted = Sieve("wazuh").sift(block, len(block))

    assert [bytes(block[begin:end]) for begin, end in sifted.spans] == [b'{"rule":{}}', b"not json"]
    assert sifted.lines == 2


def test_records_over_many_lines_are_refused_aloud() -> None:
    sieve = Sieve("suricata")
    pretty = json.dumps(json.loads(ALERT), indent=2).encode() + b"\n"

    assert kept(sieve, pretty * 3) == []
    assert "compact" in sieve.problem

    assert kept(sieve, ALERT) == [ALERT[:-1]]
    assert sieve.problem == ""


@given(st.lists(st.binary(max_size=40) | st.sampled_from([FLOW[:-1], ALERT[:-1]]), max_size=20))
def test_any_bytes_are_borne_and_no_alert_is_missed(parts: list[bytes]) -> None:
    lines = [part.replace(b"\n", b"") for part in parts]
    found = kept(Sieve("suricata"), b"".join(line + b"\n" for line in lines))

    assert [line for line in found if line == ALERT[:-1]] == [line for line in lines if line == ALERT[:-1]]
    assert FLOW[:-1] not in found


def is_alert(line: bytes) -> bool | None:
    """Decode as a reader would; None where it is not JSON."""
    text = line.strip(b"\x00 \t\r\n").removeprefix(b"\xef\xbb\xbf").removeprefix(b"@cee:")
    try:
        event = json.loads(text.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    return isinstance(event, dict) and event.get("event_type") == "alert"


@pytest.mark.parametrize("name", ["eve.json", "eve-rich.json", "eve-live.json"])
def test_the_alerts_of_real_files_are_found_exactly(corpora: Path, name: str) -> None:
    manifest = json.loads((corpora / "dev" / "manifest.json").read_text())["files"][name]
    text = (corpora / "dev" / name).read_bytes()
    block = bytearray(text)
    sifted = Sieve("suricata").sift(block, len(block))
    found = [text[begin:end] for begin, end in sifted.spans]

    assert len([line for line in found if is_alert(line)]) == manifest["alerts"]
    assert sifted.lines == manifest["lines"]


@pytest.mark.parametrize("size", [1, 5_000, 1_000_000])
def test_of_the_odd_lines_every_alert_is_found_and_nothing_else_is_confirmed(
    corpora: Path, size: int
) -> None:
    """In blocks of one line, of about 5 kB, and all at once."""
    index = json.loads((corpora / "dev" / "odd.index.json").read_text())
    text = (corpora / "dev" / "odd.jsonl").read_bytes()
    sieve, found, block = Sieve("suricata"), set(), b""
    for line in text.removesuffix(b"\n").split(b"\n"):
        block += line + b"\n"
        if len(block) >= size:
            found.update(kept(sieve, block))
            block = b""
    found.update(kept(sieve, block))

    for case in index:
        line = text[case["offset"] : case["offset"] + case["length"]].removesuffix(b"\n")
        if case["expect"] == "alert":
            assert line in found, case
        if case["expect"] in {"not-alert", "wazuh-alert"}:
            assert line not in found or not is_alert(line), case
        if case["expect"] == "invalid":
            assert line in found, case


def test_the_syslog_prefix_is_borne(corpora: Path) -> None:
    text = (corpora / "dev" / "odd-cee-prefix.jsonl").read_bytes()

    assert len([line for line in kept(Sieve("suricata"), text) if is_alert(line)]) == 3


def test_real_records_over_many_lines_are_refused_aloud(corpora: Path) -> None:
    sieve = Sieve("suricata")

    assert kept(sieve, (corpora / "dev" / "odd-multiline.json").read_bytes()) == []
    assert "compact" in sieve.problem
