"""Wazuh agents that report, as the manager's own database tells whoever is in the group wazuh.

The socket of wazuh-db takes a length (four bytes, little-endian) and a query, and answers likewise: "ok" and
JSON, or "err" and why. The server's API asks it the same way.
"""

import json
import struct
from contextlib import closing
from pathlib import Path
from socket import socket

from artemis_agent.probes import connections, outside
from artemis_agent.probes.outside import MOST_BYTES, UnknownError
from artemis_agent.values import mapping
from socme.v1.vitals_pb2 import Vitals, WazuhAgents

SOCKET = Path("queue/db/wdb")  # below Wazuh's folder
# Agent 0 is the manager itself.
QUERY = (
    b"global sql select connection_status, count(*) as agents from agent where id > 0"
    b" group by connection_status"
)


def parse(answer: bytes) -> WazuhAgents:
    """Return how many agents there are by their connection."""
    word, _, told = answer.decode(errors="replace").partition(" ")
    if word != "ok":
        raise UnknownError(f"wazuh-db: {told or word or 'an empty answer'}")
    try:
        rows = json.loads(told)
    except (ValueError, RecursionError) as error:
        raise UnknownError("wazuh-db answers something else than JSON") from error
    if not isinstance(rows, list):
        raise UnknownError("wazuh-db answers no list")
    by_word = {str(row.get("connection_status")): row.get("agents") for row in map(mapping, rows)}
    return WazuhAgents(**connections.counts(by_word))


def ask(wazuh: Path) -> Vitals:
    """Return the agents of the manager in a folder; nothing where there is none."""
    line = outside.call(wazuh / SOCKET)
    if line is None:
        return Vitals()
    with closing(line):
        try:
            line.sendall(struct.pack("<I", len(QUERY)) + QUERY)
            (length,) = struct.unpack("<I", _exactly(line, 4))
            if length > MOST_BYTES:
                raise UnknownError(f"wazuh-db announces {length} bytes")
            answer = _exactly(line, length)
        except TimeoutError as error:
            raise UnknownError("wazuh-db gave no answer in time") from error
        except OSError as error:
            raise outside.refusal(error) from error
    vitals = Vitals()
    vitals.wazuh.agents.CopyFrom(parse(answer))
    return vitals


def _exactly(line: socket, length: int) -> bytes:
    taken = bytearray()
    while len(taken) < length:
        piece = line.recv(length - len(taken))
        if not piece:
            raise UnknownError("wazuh-db hung up")
        taken += piece
    return bytes(taken)
