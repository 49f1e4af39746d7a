"""Wazuh agents by their connection to the manager: its database and its API have the same words. Pure."""

from collections.abc import Mapping

from artemis_agent.values import LARGEST_UINT32, integer

WORDS = ("active", "disconnected", "never_connected", "pending")  # and the fields of WazuhAgents


def counts(told: Mapping[str, object]) -> dict[str, int]:
    """Return how many agents there are, by the word; what is no count, or of no known word, is left out."""
    found = {word: integer(told.get(word), 0, LARGEST_UINT32) for word in WORDS}
    return {word: number for word, number in found.items() if number is not None}
