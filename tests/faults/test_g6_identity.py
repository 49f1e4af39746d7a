"""G6: client and node are taken from the verified certificate alone.

That two clients' nodes with the same name and input are kept apart: tests/flow/test_end_to_end.py. Which
certificates are let in: tests/zeus_hub/test_authorise.py.
"""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor

from socme.v1.uplink_pb2 import NodeMessage
from tests.faults.cast import CLIENT, NAME
from tests.faults.proof import Proof, prove

NAMES = {"client", "tenant", "organization", "customer", "node", "node_id", "agent", "site"}


def fields(message: Descriptor, seen: set[str]) -> Iterator[str]:
    """Yield the names of all fields in a message and in those that it holds."""
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield field.name
        if field.message_type is not None:
            yield from fields(field.message_type, seen)


def test_a_node_has_no_word_for_who_it_is() -> None:
    """Nothing that a node can send holds a client or a node: there is nothing to believe."""
    found = set(fields(NodeMessage.DESCRIPTOR, set()))
    assert "payload" in found
    assert not found & NAMES


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.play(of=prove)
def test_everything_is_stored_under_the_certificate_s_names(outcome: Proof) -> None:
    """Though Wazuh's lines name a manager and an agent of their own."""
    assert {(row.client, row.node) for row in outcome.evidence.stored} == {(CLIENT, NAME)}
    assert {(row["client"], row["node"]) for row in outcome.shown} == {(CLIENT, NAME)}
