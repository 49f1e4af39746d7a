"""Settings of a program: a TOML file, overridden by environment variables, checked as a whole.

A wrong setting is an OperatorError that names the file, the key, the value and the mend.
"""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from socme.address import split
from socme.errors import OperatorError


def _address(text: str) -> str:
    split(text)
    return text


Address = Annotated[str, AfterValidator(_address)]
"""A setting that is an address, "host:port"."""

SeverityName = Literal["low", "medium", "high", "critical"]
"""A setting that is a severity: socme.severity.NAMES."""


class Section(BaseModel):
    """A table of a settings file. Unknown keys are errors; the docstring under a field documents it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Settings(BaseSettings):
    """A whole settings file. A program's own class sets `env_prefix`; nested keys are joined by "__"."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, env_nested_delimiter="__"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override what `load` read from the file; read nothing else."""
        del dotenv_settings, file_secret_settings, settings_cls
        return env_settings, init_settings


Model = TypeVar("Model", bound=Settings)


def load(model: type[Model], path: Path) -> Model:
    """Read and check settings; relative paths in them are relative to the file's folder."""
    values = _read(path)
    try:
        return model(**values)
    except ValidationError as error:
        raise OperatorError(_explain(model, path, error), "Mend what is named.") from error
    except SettingsError as error:  # a table or list in the environment that is not JSON
        raise OperatorError(
            f"wrong settings in the environment: {error}",
            f"Write tables and lists as JSON, or unset the {model.model_config.get('env_prefix')}… variable.",
        ) from error


def beside(path: Path, file: Path) -> Path:
    """Return a path from a settings file as an absolute one."""
    return file if file.is_absolute() else (path.parent / file).absolute()


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except FileNotFoundError as error:
        raise OperatorError(
            f"there is no settings file {path}",
            "Write it (docs/configuration.md, or the README's example), or name another with --config PATH.",
        ) from error
    except PermissionError as error:
        raise OperatorError(
            f"cannot read the settings file {path}: permission denied", "Run this as a user that may read it."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"cannot read the settings file {path}: {error}", "Name another with --config PATH."
        ) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(
            f"{path} is not TOML: {error}", "Mend it there; a key may stand once only."
        ) from error


# What pydantic says in words of Python, said in words of the file.
_PHRASES = {
    "extra_forbidden": "there is no such key; is it misspelt?",
    "missing": "this key is needed",
    "path_type": "give a path in quotes",
}


def _explain(model: type[Settings], path: Path, error: ValidationError) -> str:
    problems = error.errors()
    lines = [f"{path}: wrong settings:"]
    for problem in problems:
        place = problem["loc"]
        # A list whose one entry is wrong counts as empty, too: that is no news.
        if any(other["loc"][: len(place)] == place for other in problems if len(other["loc"]) > len(place)):
            continue
        kind, given = problem["type"], problem.get("input")
        told = f" (it is {given!r:.120})" if kind not in {"missing", "extra_forbidden"} else ""
        key = ".".join(str(part) for part in place) or "(file)"
        lines.append(f"    {key}{_variable(model, place)}: {_phrase(key, kind, problem['msg'])}{told}")
    return "\n".join(lines)


def _variable(model: type[Settings], place: Sequence[object]) -> str:
    """Return the environment variable that a key comes from, if one does."""
    for length in range(len(place), 0, -1):
        name = (
            f"{model.model_config.get('env_prefix')}{'__'.join(str(part) for part in place[:length])}".upper()
        )
        if name in os.environ:
            return f" (environment variable {name})"
    return ""


def _phrase(key: str, kind: str, message: str) -> str:
    if kind == "tuple_type":
        return f"write a list, or tables under [[{key}]] with two brackets"
    return _PHRASES.get(kind, message.removeprefix("Value error, "))
