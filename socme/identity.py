"""This machine's name, key and certificate on disk.

They lie in `<state_dir>/identity/`, a folder that is written whole and renamed into place, so that an
interrupted enrolment leaves either the old identity or the new one. The private key is made here and
never leaves the machine.
"""

import errno
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socme.errors import OperatorError

FORMAT = 1  # of identity.json
# Enough to tell what was cut off or never written: gRPC ends the whole process over an empty one.
_PEM = re.compile(rb"\s*-----BEGIN [A-Z ]+-----\n.+\n-----END [A-Z ]+-----\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a program needs to speak to its hub."""

    key: bytes
    """Private key, PEM."""
    chain: bytes
    """Certificate, then the CA's, PEM."""
    ca: bytes
    """The CA's certificate, PEM."""
    role: str
    """A socme.spiffe.Role value."""
    client: str
    """Client of a node; empty otherwise."""
    name: str
    """Name of the node or screen, as the hub gave it."""
    hub_address: str
    """Where the hub's Uplink and Watch listen, "host:port"."""
    expires: datetime
    """Until when the certificate is good."""


def folder(state_dir: Path) -> Path:
    """Return where an identity lies."""
    return state_dir / "identity"


def save(state_dir: Path, identity: Identity) -> None:
    """Write an identity, replacing any that is there."""
    target = folder(state_dir)
    fresh = target.with_name("identity.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700, parents=True)
    about = {
        "format": FORMAT,
        "role": identity.role,
        "client": identity.client,
        "name": identity.name,
        "hub_address": identity.hub_address,
        "expires": identity.expires.isoformat(),
    }
    write(fresh / "key.pem", identity.key)
    write(fresh / "chain.pem", identity.chain)
    write(fresh / "ca.pem", identity.ca)
    write(fresh / "identity.json", json.dumps(about, indent=2).encode())
    sync(fresh)
    old = target.with_name("identity.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def load(state_dir: Path, *, now: datetime, command: str) -> Identity:
    """Read the identity; say what to do where there is none, or one that is no longer good.

    `command` is what to run to get one, as in "artemis enroll TOKEN".
    """
    again = f"Ask the hub's operator for a token and run: {command}"
    identity = _read(folder(state_dir), again)
    if identity.expires <= now:
        raise OperatorError(
            f"the certificate in {folder(state_dir)} expired on {identity.expires:%Y-%m-%d %H:%M %Z}", again
        )
    return identity


def utc_now() -> datetime:
    """Return the present moment; passed in where time matters."""
    return datetime.now(UTC)


def write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read; its content is on disk when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.write(handle, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(folder: Path) -> None:
    """Put on disk which files a folder holds."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(place: Path, again: str) -> Identity:
    try:
        if not place.exists() and place.with_name("identity.old").exists():
            place = place.with_name("identity.old")  # an enrolment was cut off between its two renames
        about = json.loads((place / "identity.json").read_text())
        key, chain, ca = ((place / f"{part}.pem").read_bytes() for part in ("key", "chain", "ca"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise OperatorError(f"not enrolled: there is no {error.filename}", again) from error
    except PermissionError as error:
        raise OperatorError(
            f"cannot read {error.filename}: permission denied",
            "Run this as the user that owns the state folder.",
        ) from error
    except ValueError as error:
        raise OperatorError(f"{place / 'identity.json'} is damaged: {error}", again) from error
    try:
        if about["format"] != FORMAT:
            raise OperatorError(
                f"{place} was written by a newer version (format {about['format']})", "Update this program."
            )
        return _identity(about, key=key, chain=chain, ca=ca)
    except (KeyError, TypeError, ValueError) as error:
        raise OperatorError(f"the identity in {place} is damaged: {error!r}", again) from error


def _identity(about: dict[str, Any], *, key: bytes, chain: bytes, ca: bytes) -> Identity:
    """Return an identity as it was written; ValueError, KeyError or TypeError where it is none."""
    for part, content in (("key", key), ("chain", chain), ("ca", ca)):
        if not _PEM.fullmatch(content):
            raise ValueError(f"{part}.pem holds no PEM")
    names = {name: about[name] for name in ("role", "client", "name", "hub_address")}
    if not all(isinstance(name, str) for name in names.values()):
        raise TypeError("a name is no text")
    expires = datetime.fromisoformat(about["expires"])
    if expires.tzinfo is None:
        raise ValueError("expires has no zone")
    return Identity(key=key, chain=chain, ca=ca, **names, expires=expires)
