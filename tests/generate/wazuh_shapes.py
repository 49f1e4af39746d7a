"""What the stories of the Wazuh generator are made of: agents, rules, moments and techniques."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Object = dict[str, Any]

MANAGER = "soc-acme"

WEB: Object = {"id": "001", "name": "web-1", "ip": "192.0.2.10"}
BASTION: Object = {"id": "002", "name": "bastion", "ip": "192.0.2.22"}
DATABASE: Object = {
    "id": "003",
    "name": "db-1",
    "ip": "192.0.2.30",
    "labels": {"room": "b2", "owner": {"team": "data"}},
}
WORKSTATION: Object = {"id": "004", "name": "WS-117", "ip": "192.0.2.117"}
GATEWAY: Object = {"id": "005", "name": "gate", "ip": "2001:0DB8:0010:0000:0000:0000:0000:0001"}
LAPTOP: Object = {"id": "006", "name": "laptop-jo"}  # registered with address "any"
ITSELF: Object = {"id": "000", "name": MANAGER}


@dataclass(frozen=True, slots=True)
class Moment:
    """What a story may draw from."""

    at: datetime
    rng: random.Random

    def stamp(self) -> str:
        """Return the time as a syslog line begins with it."""
        return f"{self.at:%b} {self.at.day:>2} {self.at:%H:%M:%S}"

    def attacker(self) -> str:
        """Return an address outside."""
        return f"203.0.113.{self.rng.randrange(1, 250)}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What fired; `mitre` holds technique ids, tactics and technique names, of any lengths."""

    level: int
    id: str
    description: str
    groups: tuple[str, ...]
    mitre: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] | None = None
    frequency: int | None = None
    extra: Object = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One alert before it is dressed as Wazuh writes it; `rest` holds its other keys in their order."""

    rule: Rule
    agent: Object | None
    rest: Object


PCI = {"pci_dss": ["10.2.4", "10.2.5"], "gdpr": ["IV_35.7.d"], "tsc": ["CC6.1", "CC7.2"]}
GUESSING = (
    ("T1110.001", "T1021.004"),
    ("Credential Access", "Lateral Movement"),
    ("Password Guessing", "SSH"),
)
BRUTE = (("T1110",), ("Credential Access",), ("Brute Force",))
ACCOUNT = (
    ("T1078",),
    ("Defense Evasion", "Persistence", "Privilege Escalation", "Initial Access"),
    ("Valid Accounts",),
)
EXPLOIT = (("T1190",), ("Initial Access",), ("Exploit Public-Facing Application",))
TAMPERING = (("T1565.001",), ("Impact",), ("Stored Data Manipulation",))
DELETION = (("T1070.004", "T1485"), ("Defense Evasion", "Impact"), ("File Deletion", "Data Destruction"))
DUMPING = (("T1003.001",), ("Credential Access",), ("LSASS Memory",))
SHELL = (
    ("T1059.001", "T1027"),
    ("Execution", "Defense Evasion"),
    ("PowerShell", "Obfuscated Files or Information"),
)
SUDO = (("T1548.003",), ("Privilege Escalation", "Defense Evasion"), ("Sudo and Sudo Caching",))
