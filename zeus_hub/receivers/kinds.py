"""Which kinds of receivers there are, what each may be told to do, and how one is made of its table.

A new kind is a module with a Receiver, a section here, and its name in KINDS.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationError

from socme.errors import OperatorError
from socme.settings import Section
from zeus_hub.receivers import wording
from zeus_hub.receivers.contract import Receiver
from zeus_hub.receivers.mail import Mail, MailSettings
from zeus_hub.receivers.rendering import Language, Templates
from zeus_hub.receivers.thehive.poll import Poll
from zeus_hub.receivers.thehive.receiver import TheHive
from zeus_hub.receivers.thehive.settings import TheHiveSettings, Value
from zeus_hub.receivers.webhook import Webhook, WebhookSettings
from zeus_hub.receivers.wording import Wording

SECRETS = ("key_file", "password_file", "secret_file", "url_file")
"""The keys of all kinds that name files with secrets."""
LONGEST_SECRET = 64 * 1024  # bytes
PORTS = {"starttls": 587, "tls": 465, "none": 25}
TLP = {"clear": 0, "green": 1, "amber": 2, "amber+strict": 3, "red": 4}
PAP = {"clear": 0, "green": 1, "amber": 2, "red": 3}


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}: write it as Europe/Paris") from error
    return name


class WordsSection(Section):
    """In which words people are told."""

    language: Language = "en"
    """The language of the message's own words."""

    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The time zone of all times in it, as Europe/Paris."""

    templates: Path | None = None
    """A folder with templates that replace SOCme's own, file by file."""


class MailSection(WordsSection):
    """kind = "mail"."""

    kind: Literal["mail"]
    host: Annotated[str, Field(min_length=1)]
    """The SMTP server."""

    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: 587, or 465 with security = "tls", or 25 with "none"."""

    security: Literal["starttls", "tls", "none"] = "starttls"
    """Never falls back to clear text."""

    user: str = ""
    """Empty: no login."""

    password_file: Path | None = None
    """A file with the password alone."""

    sender: str
    """A mail address."""

    to: Annotated[tuple[str, ...], Field(min_length=1)]
    """Mail addresses."""

    ca_file: Path | None = None
    """Who vouches for the server (PEM). None: whom this system trusts."""


class PushSection(WordsSection):
    """kind = "apprise": SMS, telephone, chat, and all else that Apprise knows."""

    kind: Literal["apprise"]
    url_file: Path
    """A file with the address as Apprise's documentation writes it; it holds tokens."""


class WebhookSection(Section):
    """kind = "webhook"."""

    kind: Literal["webhook"]
    url_file: Path
    """A file with the HTTPS address; it may hold a token."""

    secret_file: Path
    """A file with what both sides know, which signs each message."""

    ca_file: Path | None = None
    """Who vouches for the server (PEM). None: whom this system trusts."""


class TheHiveSection(Section):
    """kind = "thehive"."""

    kind: Literal["thehive"]
    url: str
    """As "https://hive.example"."""

    key_file: Path
    """A file with the API key of a user of type Service."""

    organisation: str = ""
    """Of clients that `organisations` does not name; empty: those are refused."""

    organisations: Mapping[str, str] = Field(default_factory=dict)
    """Organisations by the client's id."""

    ca_file: Path | None = None
    """Who vouches for the server (PEM). None: whom this system trusts."""

    source: str = "zeus"
    """What tells this hub's alerts from another hub's in the same TheHive."""

    tags: tuple[str, ...] = ("socme",)
    """On every alert."""

    tlp: Literal["clear", "green", "amber", "amber+strict", "red"] = "amber"
    """Who may see it (Traffic Light Protocol)."""

    pap: Literal["clear", "green", "amber", "red"] = "amber"
    """What may be done with it (Permissible Actions Protocol)."""

    case_template: str = ""
    """For cases made of the alerts; empty for none."""

    custom_fields: Mapping[str, Value] = Field(default_factory=dict)
    """Values by field, which must exist there; docs/routes.md says what they may hold."""

    link: str = ""
    """What an alert there links back to, with the same in braces; empty for nothing."""


def build(name: str, options: Mapping[str, object], beside: Path) -> Receiver:
    """Return a receiver of its table in a file; paths in it are relative to the folder `beside`.

    Raise OperatorError for what cannot work. No secret stands in what it says.
    """
    section, make = _section(options)
    return make(name, section, beside)


def poll(options: Mapping[str, object], beside: Path) -> Poll | None:
    """Return what asks a receiver what people there did about what it was told; None where nobody could.

    Raise OperatorError as build does.
    """
    section, _ = _section(options)
    return Poll(_hive(section, beside)) if isinstance(section, TheHiveSection) else None


def _section(options: Mapping[str, object]) -> tuple[Section, Callable[[str, Any, Path], Receiver]]:
    kind = options.get("kind")
    known = KINDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise OperatorError(
            f"there is no kind {kind!r} of receivers" if kind else "it does not say its kind",
            f"Set kind to one of {', '.join(sorted(KINDS))}.",
        )
    model, make = known
    try:
        return model(**options), make
    except ValidationError as error:
        raise OperatorError(_explained(error), "docs/routes.md says what there is.") from error


def _mail(name: str, section: MailSection, beside: Path) -> Receiver:
    settings = MailSettings(
        host=section.host,
        port=section.port or PORTS[section.security],
        security=section.security,
        user=section.user,
        password=_secret(beside, section.password_file) if section.password_file else "",
        sender=section.sender,
        recipients=section.to,
        ca_file=_path(beside, section.ca_file),
    )
    return Mail(name, settings, _words(section, beside))


def _push(name: str, section: PushSection, beside: Path) -> Receiver:
    from zeus_hub.receivers.push import Push  # noqa: PLC0415 - a second and 27 MB, where nobody needs it

    return Push(name, _secret(beside, section.url_file), _words(section, beside))


def _webhook(name: str, section: WebhookSection, beside: Path) -> Receiver:
    settings = WebhookSettings(
        url=_secret(beside, section.url_file),
        secret=_secret(beside, section.secret_file).encode(),
        ca_file=_path(beside, section.ca_file),
    )
    return Webhook(name, settings)


def _thehive(name: str, section: TheHiveSection, beside: Path) -> Receiver:
    del name  # the hub says of whom it speaks
    return TheHive(_hive(section, beside))


def _hive(section: TheHiveSection, beside: Path) -> TheHiveSettings:
    return TheHiveSettings(
        url=section.url,
        key=_secret(beside, section.key_file),
        organisations=section.organisations,
        organisation=section.organisation,
        ca_file=_path(beside, section.ca_file),
        source=section.source,
        tags=section.tags,
        tlp=TLP[section.tlp],
        pap=PAP[section.pap],
        case_template=section.case_template,
        custom_fields=section.custom_fields,
        link=section.link,
    )


def templates(options: Mapping[str, object], beside: Path, zone: ZoneInfo) -> Templates:
    """Return the templates of a table of a kind that has words, with times of a zone; raise as build()."""
    said = {key: options[key] for key in WordsSection.model_fields if key in options}
    try:
        words = WordsSection.model_validate(said)
    except ValidationError as error:
        raise OperatorError(_explained(error), "docs/routes.md says what there is.") from error
    return Templates(words.language, zone, _path(beside, words.templates))


def secrets(options: Mapping[str, object], beside: Path) -> Iterator[Path]:
    """Yield the files with secrets that a table names."""
    for key in SECRETS:
        if isinstance(path := options.get(key), str):
            yield beside / path


# Each function takes what its section says.
KINDS: Mapping[str, tuple[type[Section], Callable[[str, Any, Path], Receiver]]] = {
    "apprise": (PushSection, _push),
    "mail": (MailSection, _mail),
    "thehive": (TheHiveSection, _thehive),
    "webhook": (WebhookSection, _webhook),
}


def _words(section: WordsSection, beside: Path) -> Wording:
    return wording.load(section.language, ZoneInfo(section.zone), _path(beside, section.templates))


def _path(beside: Path, path: Path | None) -> Path | None:
    return None if path is None else beside / path


def _secret(beside: Path, path: Path) -> str:
    """Return what a file with a secret holds, without the end of its line."""
    place = beside / path
    try:
        if place.exists() and not place.is_file():  # a pipe would hold up whoever reads it
            raise OperatorError(f"{place} is no file", "Put the secret into one, alone.")
        with place.open("rb") as file:
            secret = file.read(LONGEST_SECRET + 1).decode().strip()
    except (OSError, ValueError) as error:  # a name that cannot be one, or no text
        reason = error.strerror if isinstance(error, OSError) else "it is no text, or no name of a file"
        raise OperatorError(
            f"{place} cannot be read: {reason}", "The hub's user must be able to read it."
        ) from error
    if not secret or len(secret) > LONGEST_SECRET:
        raise OperatorError(f"{place} is {'too long' if secret else 'empty'}", "Put the secret there, alone.")
    return secret


def _explained(error: ValidationError) -> str:
    """Say what is wrong with a table; what stands in it is not told, for it may be a secret."""
    problems = error.errors(include_url=False, include_input=False)
    said = []
    for problem in problems:
        where = ".".join(str(step) for step in problem["loc"])
        reason = {
            "extra_forbidden": "there is no such key",
            "missing": "this key is needed",
        }.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        said.append(f"{where}: {reason}")
    return "; ".join(said)
