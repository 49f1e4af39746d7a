"""Which routes an alert takes, and with which others it is told. Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from socme import severity
from socme.text import clean
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.facts import value
from zeus_hub.routes.matcher import Subject
from zeus_hub.routes.rules import Route

LONGEST_LABEL = 200  # characters that are shown of a value
DIGEST_BYTES = 16  # whoever chooses a label must not find another with the same digest

OTHERS = "others"  # no field is called so

Labels = tuple[tuple[str, str], ...]


class Grouped(NamedTuple):
    """The group that an alert belongs to by a route."""

    key: str
    labels: Labels


def matches(route: Route, stored: StoredAlert, subject: Subject) -> bool:
    """Tell whether a route is for an alert."""
    if route.clients is not None and stored.client not in route.clients:
        return False
    return route.match is None or route.match.holds(subject)


def taken(routes: Iterable[Route], stored: StoredAlert, subject: Subject) -> Iterator[Route]:
    """Yield the routes that an alert takes: the first that is for it, and later ones where that goes on."""
    for route in routes:
        if matches(route, stored, subject):
            yield route
            if not route.goes_on:
                return


def grouped(route: Route, stored: StoredAlert) -> Grouped:
    """Return the group of an alert; values that are told apart may look alike when they are shown."""
    values = [value(stored, path) for path in route.group_by]
    labels = tuple(
        (path, clean(_shown(path, text), LONGEST_LABEL))
        for path, text in zip(route.group_by, values, strict=True)
    )
    return Grouped(_key(route, values), labels)


def others(route: Route, client: str) -> Grouped:
    """Return the group of all alerts of a client that find no place in one of their own."""
    return Grouped(_key(route, [client], OTHERS), (("client", client), (OTHERS, "too many groups at once")))


def _key(route: Route, values: list[str], kind: str = "") -> str:
    said = json.dumps([route.name, kind, *zip(route.group_by, values, strict=False)])
    return hashlib.blake2b(said.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _shown(path: str, text: str) -> str:
    return severity.name(int(text)) if path == "severity" else text
