"""What of the vitals matters so much that the hub is told of a change at once: states, not numbers. Pure."""

from collections.abc import Iterator

from socme.v1.vitals_pb2 import Vitals


def standing(vitals: Vitals) -> tuple[object, ...]:
    """Return how things stand; equal as long as nothing that matters changed."""
    return tuple(_parts(vitals))


def _parts(vitals: Vitals) -> Iterator[object]:
    for service in (
        vitals.wazuh.manager,
        vitals.wazuh.indexer,
        vitals.wazuh.dashboard,
        vitals.suricata.service,
        vitals.thehive.service,
    ):
        yield service.state, service.restarts
    tailscale, system = vitals.tailscale, vitals.system
    yield tailscale.state, tailscale.online, tailscale.name, tuple(tailscale.addresses)
    yield system.version, system.configuration_revision, system.reboot_pending
    yield vitals.suricata.rules_written.seconds, vitals.suricata.rules_failed
    yield frozenset(vitals.unknown)
    yield vitals.spool.problem, tuple((source.name, source.problem) for source in vitals.sources)
