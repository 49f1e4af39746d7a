"""An identity on disk: saved whole or not at all, and every way in which it is no good."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socme import identity
from socme.errors import OperatorError
from socme.identity import Identity

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def pem(text: str) -> bytes:
    return f"-----BEGIN TEST-----\n{text}\n-----END TEST-----\n".encode()


ONE = Identity(
    key=pem("key"),
    chain=pem("chain"),
    ca=pem("ca"),
    role="node",
    client="acme",
    name="acme-1",
    hub_address="hub:8443",
    expires=NOW + timedelta(days=30),
)


def load(state_dir: Path, *, now: datetime = NOW) -> Identity:
    return identity.load(state_dir, now=now, command="artemis enroll TOKEN")


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """By its owner alone: the files are private."""
    state_dir = tmp_path / "new" / "state"
    identity.save(state_dir, ONE)

    assert load(state_dir) == ONE
    place = identity.folder(state_dir)
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}


def test_a_new_identity_replaces_the_old_one(tmp_path: Path) -> None:
    identity.save(tmp_path, ONE)
    other = replace(ONE, name="acme-2", key=pem("other"))
    identity.save(tmp_path, other)

    assert load(tmp_path) == other
    assert [path.name for path in tmp_path.iterdir()] == ["identity"]


def test_an_interrupted_save_leaves_the_old_identity(tmp_path: Path) -> None:
    """Wherever it was cut off: while writing, or between the two renames; the next save cleans up."""
    identity.save(tmp_path, ONE)
    half = tmp_path / "identity.new"
    half.mkdir()
    (half / "key.pem").write_bytes(b"half")
    assert load(tmp_path) == ONE

    identity.folder(tmp_path).rename(tmp_path / "identity.old")
    assert load(tmp_path) == ONE

    identity.save(tmp_path, ONE)
    assert load(tmp_path) == ONE
    assert [path.name for path in tmp_path.iterdir()] == ["identity"]


def test_not_enrolled(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="not enrolled") as refusal:
        load(tmp_path)

    assert "artemis enroll TOKEN" in refusal.value.mend


def test_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OperatorError, match="not enrolled"):
        load(tmp_path / "file")


def test_expired(tmp_path: Path) -> None:
    identity.save(tmp_path, ONE)

    with pytest.raises(OperatorError, match="expired on 2026-12-22 00:00 UTC"):
        load(tmp_path, now=ONE.expires)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "{}", '{"format": 1}', '{"format": 1, "role": "node", "expires": "soon"}', "\udcff"],
)
def test_damaged(tmp_path: Path, text: str) -> None:
    """Whatever a half-broken disk left there."""
    identity.save(tmp_path, ONE)
    (identity.folder(tmp_path) / "identity.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(OperatorError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("about", [{"expires": "2026-12-22T00:00:00"}, {"hub_address": 5}, {"client": None}])
def test_damaged_in_one_place(tmp_path: Path, about: dict[str, object]) -> None:
    """A time without a zone, and names that are no text."""
    identity.save(tmp_path, ONE)
    file = identity.folder(tmp_path) / "identity.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | about))

    with pytest.raises(OperatorError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("part", ["key", "chain", "ca"])
@pytest.mark.parametrize("content", [b"", bytes(100), ONE.key[:-10]])
def test_key_or_certificate_damaged(tmp_path: Path, part: str, content: bytes) -> None:
    """An empty one would end the whole process inside gRPC."""
    identity.save(tmp_path, ONE)
    (identity.folder(tmp_path) / f"{part}.pem").write_bytes(content)

    with pytest.raises(OperatorError, match=rf"{part}\.pem holds no PEM"):
        load(tmp_path)


def test_of_a_newer_version(tmp_path: Path) -> None:
    identity.save(tmp_path, ONE)
    about = identity.folder(tmp_path) / "identity.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"format": 2}))

    with pytest.raises(OperatorError, match="newer version"):
        load(tmp_path)


LOAD = """
import sys
from pathlib import Path
from socme import identity
identity.load(Path(sys.argv[1]), now=identity.utc_now(), command="")
"""


def test_of_another_user(tmp_path: Path) -> None:
    """Tried by a process without root's rights to read everything."""
    identity.save(tmp_path / "state", ONE)
    (tmp_path / "state").chmod(0)
    command = [sys.executable, "-c", LOAD, str(tmp_path / "state")]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root reads everything, and setpriv is missing")
        drop = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}", *command]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "OperatorError: cannot read" in done.stderr
    assert "permission denied" in done.stderr
