"""Settings of a program: a TOML file, overridden by environment variables, checked as a whole.

A wrong setting is an OperatorError that names the file, the key, the value and the mend.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from socme.errors import OperatorError

HIGHEST_PORT = 65535


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdecimal()) or int(port) > HIGHEST_PORT:
        raise ValueError('give "host:port", as in "127.0.0.1:8443" or "[::1]:8443"')
    return text


Address = Annotated[str, AfterValidator(_address)]
"""A setting that is an address, "host:port"."""


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
        raise OperatorError(_explain(path, error), f"Mend {path} (or the environment variable).") from error
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
        raise OperatorError(f"there is no settings file {path}", "Name one with --config PATH.") from error
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
        raise OperatorError(f"{path} is not TOML: {error}", "Mend the line that is named.") from error


def _explain(path: Path, error: ValidationError) -> str:
    lines = [f"{path}: wrong settings:"]
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(file)"
        given = problem.get("input")
        told = f" (it is {given!r:.120})" if problem["type"] not in {"missing", "extra_forbidden"} else ""
        lines.append(f"    {key}: {_phrase(problem['type'], problem['msg'])}{told}")
    return "\n".join(lines)


def _phrase(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such key; is it misspelt?"
    if kind == "missing":
        return "this key is needed"
    return message.removeprefix("Value error, ")
