"""What of an alert may be looked up elsewhere: addresses, names, hashes, files, programs. Pure."""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from socme.text import clean
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.notice import Observable, ObservableKind

LONGEST = 1000  # characters; a URL that is longer than that is nobody's indicator
REMEMBERED = 4096  # values of which it is known what they are

_OWN_NAMES = (".local", ".lan", ".internal", ".intranet", ".corp", ".home.arpa", ".localdomain")


def observables(stored: StoredAlert) -> Iterator[Observable]:
    """Yield what an alert names; the same may come several times."""
    alert = stored.alert
    for address in (alert.source_endpoint.ip, alert.destination_endpoint.ip, alert.host.ip):
        yield from _address(address)
    yield from _domain(alert.domain)
    yield from _url(alert.url)
    yield from _plain("user-agent", alert.user_agent)
    yield from _file(alert.file.path)
    for digest in (alert.file.md5, alert.file.sha1, alert.file.sha256):
        yield from _plain("hash", digest)
    yield from _plain("hostname", alert.host.name, internal=True)
    yield from _plain("mail", alert.user if "@" in alert.user else "")


def _plain(kind: ObservableKind, text: str, *, internal: bool = False) -> tuple[Observable, ...]:
    return (Observable(kind, clean(text, LONGEST), internal),) if text else ()


@lru_cache(REMEMBERED)
def _address(text: str) -> tuple[Observable, ...]:
    internal = is_internal(text)
    return () if internal is None else (Observable("ip", text, internal=internal),)


@lru_cache(REMEMBERED)
def _domain(text: str) -> tuple[Observable, ...]:
    if is_internal(text) is not None:
        return _address(text)
    return _plain("domain", text, internal=_is_own(text))


@lru_cache(REMEMBERED)
def _url(text: str) -> tuple[Observable, ...]:
    return _plain("url", text, internal=_leads_inside(text)) if len(text) <= LONGEST else ()


@lru_cache(REMEMBERED)
def _file(path: str) -> tuple[Observable, ...]:
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return _plain("filename", name)


def is_internal(text: str) -> bool | None:
    """Tell whether an address is of no public network; None for what is no address."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global


def _is_own(name: str) -> bool:
    """Tell whether a name is one that no public server knows."""
    plain = name.rstrip(".").lower()
    return "." not in plain or plain.endswith(_OWN_NAMES)


def _leads_inside(url: str) -> bool:
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    except ValueError:  # brackets that hold no address
        return False
    internal = is_internal(host)
    return _is_own(host) if internal is None else internal
