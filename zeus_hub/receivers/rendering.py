"""Texts for people, from templates: those that are shipped, or a site's own in their place.

Templates run in Jinja's sandbox, know no undefined names, and escape what they put into HTML. The folder of
a language holds them, and `sentences.toml`, which holds what is chosen rather than filled in: the names of
severities, what a tactic means, what to do. A site's folder has the same layout (`en/notice.txt`) and holds
only what is to be different; a file that begins with "_" is a part that others include.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from socme.errors import OperatorError
from socme.text import clean

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SHIPPED = Path(__file__).parent / "templates"
SENTENCES = "sentences.toml"
MOST_OUT = 256 * 1024  # characters of a text; the longest shipped one is a tenth of that
MEND = "Mend the file, or remove it: the one that is shipped is used then."

Sentences: TypeAlias = Mapping[str, Any]  # tables in tables, of strings
_BLANK = re.compile(r"\n(?:[ \t]*\n){2,}")
_THOUSANDS: Mapping[Language, str] = {"en": ",", "fr": "\N{NO-BREAK SPACE}"}


class Templates:
    """The templates of one language, with times in one time zone.

    Raises OperatorError, with the file, where the site's folder is none or its sentences are not as shipped.
    """

    def __init__(self, language: Language, zone: ZoneInfo, site: Path | None = None) -> None:
        self.language = language
        self.zone = zone
        self._site = site / language if site is not None else None
        if site is not None and not site.is_dir():
            raise OperatorError(f"{site}: there is no such folder", "Make it, or name none.")
        if self._site is not None:
            _refuse_strangers(self._site, SHIPPED / language)
        self.sentences = _sentences(SHIPPED / language, self._site)
        filters: dict[str, Callable[..., object]] = {
            "when": self.when,
            "minute": self.minute,
            "number": _number(language),
            "cut": clean,
        }
        self._shipped = _environment([SHIPPED / language], filters)
        folders = [SHIPPED / language] if self._site is None else [self._site, SHIPPED / language]
        self._first = _environment(folders, filters)

    def when(self, moment: datetime) -> str:
        """Return a time to the second, with its distance from UTC."""
        return self._written(moment, "%Y-%m-%d %H:%M:%S")

    def minute(self, moment: datetime) -> str:
        """Return the same to the minute and without the year, for texts that must be short."""
        return self._written(moment, "%m-%d %H:%M")

    def _written(self, moment: datetime, form: str) -> str:
        local = moment.astimezone(self.zone)
        offset = local.strftime("%z")
        return f"{local.strftime(form)} UTC{offset[:3]}:{offset[3:5]}"

    def check(self, name: str, values: Mapping[str, object]) -> None:
        """Render a template to see whether it can be; raise OperatorError with file, line and reason."""
        try:
            self._rendered(self._first, name, values)
        except Exception as error:  # a template is a program of the site's, and can raise anything
            raise OperatorError(self._trouble(error, name), MEND) from error

    def render(self, name: str, values: Mapping[str, object]) -> tuple[str, str]:
        """Return a text, and what was wrong with the site's template, where the shipped one had to do.

        People are told of what happened even by a template that fails with what check() did not try.
        """
        try:
            return self._rendered(self._first, name, values), ""
        except Exception as error:
            if self._site is None:
                raise
            return self._rendered(self._shipped, name, values), self._trouble(error, name)

    def _rendered(
        self, environment: ImmutableSandboxedEnvironment, name: str, values: Mapping[str, object]
    ) -> str:
        room, pieces = MOST_OUT, []
        for piece in environment.get_template(name).generate(values, say=self.sentences, zone=self.zone.key):
            pieces.append(piece[:room])
            room -= len(piece)
            if room < 0:
                raise ValueError(f"it gives more than {MOST_OUT} characters")
        return _BLANK.sub("\n\n", "".join(pieces)).strip()

    def _trouble(self, error: Exception, name: str) -> str:
        reason = clean(str(error), 300) or type(error).__name__
        if isinstance(error, TemplateNotFound):
            return f"{name}: it includes {reason}, which is not there"
        if isinstance(error, TemplateSyntaxError):
            return f"{error.filename or name}, line {error.lineno}: {reason}"
        if not isinstance(error, TemplateError | ValueError):
            reason = f"{type(error).__name__}: {reason}"
        # Jinja puts the template's own lines into the traceback.
        lines = [each for each in extract_tb(error.__traceback__) if self._is_mine(Path(each.filename))]
        if not lines:
            return f"{self._file(name)}: {reason}"
        return f"{lines[-1].filename}, line {lines[-1].lineno}: {reason}"

    def _is_mine(self, path: Path) -> bool:
        return path.parent == self._site or path.is_relative_to(SHIPPED)

    def _file(self, name: str) -> Path | str:
        own = self._site / name if self._site is not None else None
        return own if own is not None and own.is_file() else name


def _environment(
    folders: list[Path], filters: Mapping[str, Callable[..., object]]
) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        undefined=StrictUndefined,
        autoescape=lambda name: name is None or name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(filters)
    return made


def _number(language: Language) -> Callable[[int], str]:
    return lambda number: f"{number:,}".replace(",", _THOUSANDS[language])


def _refuse_strangers(own: Path, shipped: Path) -> None:
    """Refuse a file that takes no other's place: its name is misspelt, or it would never be used."""
    known = {path.name for path in shipped.iterdir()}
    for path in sorted(own.glob("*")):
        if path.name not in known and not path.name.startswith(("_", ".")):
            raise OperatorError(
                f"{path}: no template has this name", f"There are {', '.join(sorted(known))}."
            )


def _sentences(shipped: Path, own: Path | None) -> Sentences:
    said = tomllib.loads((shipped / SENTENCES).read_text())
    path = own / SENTENCES if own is not None else None
    if path is None or not path.is_file():
        return said
    try:
        theirs = tomllib.loads(path.read_text())
    except ValueError as error:  # of TOML, which names the line, or of UTF-8
        raise OperatorError(f"{path}: {error}", MEND) from error
    return _laid_over(said, theirs, path)


def _laid_over(under: Sentences, over: Sentences, path: Path) -> Sentences:
    """Return tables with those of a site laid over them."""
    laid = dict(under)
    for key, value in over.items():
        if key not in under or type(value) is not type(under[key]):
            kind = "table" if isinstance(value, dict) else "sentence"
            raise OperatorError(f"{path}: there is no {kind} {key!r} in its place", MEND)
        laid[key] = _laid_over(under[key], value, path) if isinstance(value, dict) else value
    return laid
