"""Who a certificate speaks for, written as a SPIFFE ID in its URI subject alternative name.

`spiffe://<trust domain>/client/<client>/node/<node>`, `…/display/<name>`, `…/operator/<user>`,
`…/hub/<name>`. Identity comes from here and from nowhere else.
"""

import re
from dataclasses import dataclass
from enum import Enum

# A name becomes part of URIs, file names and log lines: lower case letters, digits, dots and dashes.
NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
NAME_RULE = "1 to 63 lower-case letters, digits, dots and dashes, beginning and ending with a letter or digit"


class Role(Enum):
    """What a certificate is for."""

    NODE = "node"
    DISPLAY = "display"
    OPERATOR = "operator"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Peer:
    """The owner of a certificate; `client` is empty for all but nodes."""

    trust_domain: str
    role: Role
    name: str
    client: str = ""


def is_name(text: str) -> bool:
    """Tell whether a client, node, display or user may be called so."""
    return NAME.fullmatch(text) is not None


def uri(peer: Peer) -> str:
    """Return the SPIFFE ID of a peer."""
    if peer.role is Role.NODE:
        return f"spiffe://{peer.trust_domain}/client/{peer.client}/node/{peer.name}"
    return f"spiffe://{peer.trust_domain}/{peer.role.value}/{peer.name}"


def parse(text: str) -> Peer | None:
    """Return the peer that a SPIFFE ID names, or None where it is not one of ours."""
    head, _, rest = text.partition("://")
    if head != "spiffe":
        return None
    match rest.split("/"):
        case [domain, "client", client, "node", name] if (
            is_name(domain) and is_name(client) and is_name(name)
        ):
            return Peer(domain, Role.NODE, name, client)
        case [domain, ("display" | "operator" | "hub") as role, name] if is_name(domain) and is_name(name):
            return Peer(domain, Role(role), name)
        case _:
            return None
