"""What an operator sets for one TheHive, and what is refused before anything is sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx

from socme.errors import OperatorError

LONGEST_WORD = 32  # characters of `type` and `source`; TheHive's own limit
LONGEST_TAG = 128  # characters; TheHive's own limit
LONGEST_NAME = 64  # characters of an organisation or a custom field; TheHive's own limit
WORST_TLP = 4  # TLP:RED; there are five
WORST_PAP = 3  # PAP:RED; there are four

Value = str | int | float | bool

_KEY = re.compile(r"[!-~]{8,256}")
_LINK = re.compile(r"https?://[^\s{}/?#@\\]+([/?#]\S*)?")
_HEADER = re.compile(r"[ -~\u00a0-\u00ff]+")  # what HTTP can carry in X-Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class TheHiveSettings:
    """One TheHive and one user of it."""

    url: str
    """As "https://hive.example"; a path in front of "/api" is kept."""
    key: str = field(repr=False)
    """The API key of a user of type "Service"."""
    organisations: Mapping[str, str] = field(default_factory=dict)
    """The names of clients' organisations in TheHive, by the client's id."""
    organisation: str = ""
    """For clients that `organisations` does not name; empty: those are refused."""
    ca_file: Path | None = None
    """Who vouches for TheHive's certificate (PEM); None: whom this system trusts."""
    type: str = "socme"
    source: str = "zeus"
    """With `type` and the group what TheHive knows an alert by: two hubs that share a TheHive need two."""
    tags: tuple[str, ...] = ("socme",)
    """On every alert, beside those that tell of it."""
    tlp: int = 2
    """0 CLEAR, 1 GREEN, 2 AMBER, 3 AMBER+STRICT, 4 RED."""
    pap: int = 2
    """0 CLEAR, 1 GREEN, 2 AMBER, 3 RED."""
    case_template: str = ""
    """The name of the template for cases made of the alerts; empty for none."""
    custom_fields: Mapping[str, Value] = field(default_factory=dict)
    """Values by the name of the field, which must exist in TheHive. A text may hold "{client}",
    "{client_name}", "{route}", "{group}", "{severity}", "{count}", "{first}", "{last}" or the name of a
    label of the route. Where it is nothing else, a number stays a number, and a time is what a field of
    type date takes. A field whose label the group does not have is left out.
    """
    link: str = ""
    """What an alert links back to, with the same in braces; empty for nothing. As "https://soc.example/?q={group}"."""
    pause_seconds: float = 0.05
    """At least so long between the beginnings of two requests: a flood of groups is to be none there."""
    limit_seconds: float = 20.0
    """For one request, from the connection to the last byte of the answer."""

    def organisation_of(self, client: str) -> str:
        """Return the organisation of a client; empty where it has none."""
        return self.organisations.get(client, self.organisation)


def check(settings: TheHiveSettings) -> None:
    """Raise OperatorError for what TheHive could never accept."""
    _check_line(settings)
    _check_organisations(settings)
    _check_link(settings.link)
    for name, most in (("tlp", WORST_TLP), ("pap", WORST_PAP)):
        number = getattr(settings, name)
        if not 0 <= number <= most:
            raise OperatorError(f"{name} is {number} for TheHive", f"Use 0 (clear) to {most} (red).")
    for what, words, most in (
        ("type", (settings.type,), LONGEST_WORD),
        ("source", (settings.source,), LONGEST_WORD),
        ("tag", settings.tags, LONGEST_TAG),
        ("custom field", settings.custom_fields, LONGEST_NAME),
    ):
        for word in words:
            if not 1 <= len(word) <= most or ";" in word:
                raise OperatorError(
                    f'"{word}" cannot be a {what} of TheHive', f"Use 1 to {most} characters, no semicolon."
                )


def _check_line(settings: TheHiveSettings) -> None:
    parts = _parts(settings.url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OperatorError("the url of TheHive is none", 'Write it as "https://hive.example".')
    if parts.query or parts.fragment:
        raise OperatorError("the url of TheHive goes on behind its path", "Leave out ? and #.")
    if parts.username or parts.password:
        raise OperatorError("the url of TheHive holds a password", "Use an API key instead.")
    if not _KEY.fullmatch(settings.key):
        raise OperatorError(
            "the API key of TheHive is none", "Put the key, and nothing else, into the file for it."
        )
    if settings.pause_seconds < 0 or settings.limit_seconds <= 0:
        raise OperatorError("a time for TheHive is negative", "Use seconds.")


def _check_link(link: str) -> None:
    """Only what is behind the server may be in braces: no alert says where a link leads."""
    if link and (not _LINK.fullmatch(link) or _parts(link) is None):
        raise OperatorError(
            "the link for TheHive is no address", 'Write it as "https://soc.example/search?q={group}".'
        )


def _parts(url: str) -> SplitResult | None:
    """Return the parts of a URL; None where it is none, to us or to the library that will use it."""
    try:
        httpx.URL(url)
        parts = urlsplit(url)
        port = parts.port
    except (httpx.InvalidURL, ValueError):
        return None
    return None if port == 0 or re.search(r"\s", url) else parts


def _check_organisations(settings: TheHiveSettings) -> None:
    names = {*settings.organisations.values(), settings.organisation} - {""}
    for name in sorted(names):
        if len(name) > LONGEST_NAME or not _HEADER.fullmatch(name):
            raise OperatorError(
                f'the organisation "{name}" of TheHive cannot be named in a request',
                f"Use at most {LONGEST_NAME} Latin-1 characters.",
            )
