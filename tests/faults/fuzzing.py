"""What strangers' bytes are put into, each with what must hold of it; hypothesis and atheris drive the same.

Each target takes any bytes and returns; what it raises is a bug.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from artemis_agent.normalise import LARGEST_RAW, Normalised, NotAnAlert, Undecodable, normalise
from artemis_agent.sift import Sieve
from artemis_agent.source import Kind, Record
from socme import batch, token, view
from socme.batch import BatchError, Packed
from socme.errors import OperatorError
from socme.text import clean
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Encoding
from socme.v1.watch_pb2 import StoredAlert
from tests.faults import fuzzing_calls
from tests.faults.fuzzing_seeds import SEEDS
from zeus_hub import ca
from zeus_hub.ca import RequestError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OBEYED = {"Cc", "Cs", "Zl", "Zp"}  # categories of characters that a terminal does not show but does
LONGEST_LINE = 4096  # characters of a cleaned text


def tokens(data: bytes) -> None:
    """Take a pasted line: it is a token, or the person is told."""
    for line in (data.decode(errors="replace"), token.PREFIX + data.decode("latin-1")):
        with suppress(OperatorError):
            again = token.decode(line)
            assert token.decode(token.encode(again)) == again


def requests(data: bytes) -> None:
    """Take a signing request, which anybody may send: it gives a key, or it is said why not."""
    with suppress(RequestError):
        ca.public_key(data)


def suricata(data: bytes) -> None:
    """Read a line of eve.json."""
    _line(data, "suricata")


def wazuh(data: bytes) -> None:
    """Read a line of alerts.json."""
    _line(data, "wazuh")


def batches(data: bytes) -> None:
    """Open a payload of a hostile node: alerts that can be shown, or it is refused."""
    for alerts in (1, data[0] if data else 0):
        packed = Packed(data, Encoding.ENCODING_ZSTD, alerts, len(data) * 4)
        with suppress(BatchError):
            for alert in batch.unpack(packed):
                _show(alert)
    try:
        alert = Alert.FromString(data)
    except DecodeError:
        return
    _show(alert)


def texts(data: bytes) -> None:
    """Clean a text: nothing that a terminal obeys is left in it."""
    shown = clean(data.decode(errors="replace"), LONGEST_LINE)
    assert len(shown) <= LONGEST_LINE
    assert not {unicodedata.category(character) for character in shown} & OBEYED, repr(shown)


__all__ = ["SEEDS", "TARGETS"]

TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "tokens": tokens,
    "requests": requests,
    "suricata": suricata,
    "wazuh": wazuh,
    "batches": batches,
    "texts": texts,
    "streams": fuzzing_calls.streams,
    "calls": fuzzing_calls.calls,
    "peers": fuzzing_calls.peers,
}


def _line(data: bytes, kind: Kind) -> None:
    block = bytearray(data.replace(b"\n", b" ") + b"\n")
    for start, end in Sieve(kind).sift(block, len(block)).spans:
        raw = bytes(block[start:end])
        found = normalise(Record(raw, b"fuzz", start), kind=kind, origin="fuzz", observed=NOW)
        match found:
            case Normalised():
                assert found.alert.raw == raw[:LARGEST_RAW]
                assert Alert.FromString(found.alert.SerializeToString()) == found.alert
                _show(found.alert)
            case Undecodable():
                assert found.reason
            case _:
                assert isinstance(found, NotAnAlert)


def _show(alert: Alert) -> None:
    stored = StoredAlert(client="acme", node="acme-1", alert=alert)
    line = view.json_line(view.alert_view(stored))
    assert "\n" not in line
    json.loads(line)
