"""What of an alert may be looked up elsewhere: addresses, names, hashes, files, programs. Pure."""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from socme.text import clean
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.notice import Observable, ObservableKind

# Characters; what is longer is nobody's indicator, and is not remembered either: whoever makes a sensor raise
# an alert chooses it.
LONGEST = 1000  # of a URL, and of what is not looked at
LONGEST_NAME = 255  # of a domain, and of a file without its folders: neither can have more
LONGEST_ADDRESS = 64  # an address of version 6 has 45 at the most, and the interface behind it 16
REMEMBERED = 4096  # values of which it is known what they are
REMEMBERED_URLS = 1024  # with 4 bytes a character, and what is made of it: 8 MB

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


def _address(text: str) -> tuple[Observable, ...]:
    return _known_address(text) if len(text) <= LONGEST_ADDRESS else ()


@lru_cache(REMEMBERED)
def _known_address(text: str) -> tuple[Observable, ...]:
    """Leave out the interface behind a `%`: it may be any text, and says something on one machine alone."""
    internal = is_internal(text)
    return () if internal is None else (Observable("ip", text.partition("%")[0], internal=internal),)


def _domain(text: str) -> tuple[Observable, ...]:
    return _known_domain(text) if len(text) <= LONGEST_NAME else ()


@lru_cache(REMEMBERED)
def _known_domain(text: str) -> tuple[Observable, ...]:
    if is_internal(text) is not None:
        return _address(text)
    return _plain("domain", text, internal=_is_own(text))


def _url(text: str) -> tuple[Observable, ...]:
    return _known_url(text) if len(text) <= LONGEST else ()


@lru_cache(REMEMBERED_URLS)
def _known_url(text: str) -> tuple[Observable, ...]:
    return _plain("url", text, internal=_leads_inside(text))


def _file(path: str) -> tuple[Observable, ...]:
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return _known_file(name) if len(name) <= LONGEST_NAME else ()


@lru_cache(REMEMBERED)
def _known_file(name: str) -> tuple[Observable, ...]:
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
