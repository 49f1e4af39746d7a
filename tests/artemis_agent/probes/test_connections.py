"""Wazuh agents by their connection."""

from artemis_agent.probes.connections import WORDS, counts
from socme.v1.vitals_pb2 import WazuhAgents


def test_what_is_no_count_or_of_no_known_word_is_left_out() -> None:
    told = {"active": 3, "pending": "2", "disconnected": -1, "never_connected": None, "moved": 7}

    assert counts(told) == {"active": 3, "pending": 2}


def test_the_words_are_the_fields() -> None:
    assert set(WORDS) == {field.name for field in WazuhAgents.DESCRIPTOR.fields}
