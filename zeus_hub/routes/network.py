"""Whether an address lies in a network: what CEL itself cannot ask, for matchers."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

REMEMBERED = 1024  # networks; more than any rules name


@lru_cache(REMEMBERED)
def network(text: str) -> IPv4Network | IPv6Network:
    """Return a network, as "10.0.0.0/8"; raise ValueError, which says what is wrong, for anything else."""
    return ip_network(text)


def in_network(address: str, text: str) -> bool:
    """Tell whether an address lies in a network. What is no address lies in none; it may be an alert's."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found) in network(text)
