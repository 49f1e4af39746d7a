"""What is told of a group of alerts: all that a receiver needs, so that it asks nobody.

Plain values, cleaned of control characters, and bounded whatever the alerts say. A notice is of a group as a
whole: a receiver that missed one learns everything from the next.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MOST_TITLES = 10
MOST_TECHNIQUES = 20
MOST_OBSERVABLES = 100
MOST_MEMBERS = 20

Reason = Literal["new", "more", "repeat", "over"]
ObservableKind = Literal["ip", "domain", "url", "hash", "mail", "user-agent", "filename", "hostname"]


@dataclass(frozen=True, slots=True)
class Observable:
    """Something that may be looked up elsewhere; no two of a notice are the same."""

    kind: ObservableKind
    value: str
    internal: bool = False
    """Whether it is of the client's own network: a private address is no indicator of compromise."""


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique of MITRE ATT&CK."""

    id: str
    """As "T1110.001"."""
    name: str = ""
    tactics: tuple[str, ...] = ()
    """Names, as "Credential Access"."""


@dataclass(frozen=True, slots=True)
class Title:
    """What alerts of a group say, and how many say it."""

    text: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One alert of a group; texts are empty and ports 0 where it does not say."""

    id: str
    """Alert.id in hexadecimal digits, as `zeus alert show` takes it."""
    node: str
    time: datetime
    """When it happened, by the sensor's clock."""
    received: datetime
    """When the hub took it."""
    severity: int
    """A Severity."""
    source: str
    """ "suricata", "wazuh" or "socme"."""
    rule_id: str = ""
    rule_name: str = ""
    message: str = ""
    host: str = ""
    user: str = ""
    source_ip: str = ""
    source_port: int = 0
    destination_ip: str = ""
    destination_port: int = 0
    techniques: tuple[str, ...] = ()
    count: int = 1
    """How many alerts it stands for (roll-up)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A group of alerts at the time of telling."""

    group: str
    """32 hexadecimal digits, the same in all notices of a group and in no other's."""
    number: int
    """1 for the first notice of the group; with `group`, what makes a notice known that comes again."""
    reason: Reason
    """ "new": the first; "more": alerts came; "repeat": nobody has done anything; "over": all are closed."""
    route: str
    """The name of the route that put them together."""
    client: str
    """Its id."""
    client_name: str
    """For people."""
    labels: tuple[tuple[str, str], ...]
    """What the alerts have in common (`group_by`): names as in matchers, and values."""
    severity: int
    """The worst Severity so far."""
    count: int
    """Alerts so far; a roll-up counts as all that it stands for."""
    fresh: int
    """Those of them that no notice before has told."""
    first: datetime
    """When the hub took the first one."""
    last: datetime
    """When it took the latest."""
    titles: tuple[Title, ...]
    """The most frequent first, at most MOST_TITLES."""
    techniques: tuple[Technique, ...] = ()
    """At most MOST_TECHNIQUES."""
    observables: tuple[Observable, ...] = ()
    """At most MOST_OBSERVABLES."""
    members: tuple[Member, ...]
    """The latest, newest first, at most MOST_MEMBERS."""
