"""How commands on the hub's machine reach it, and what tokens say to others."""

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socme.address import split
from socme.errors import OperatorError
from socme.spiffe import Role
from tests.zeus_hub.engines import opened
from zeus_hub import local, registry
from zeus_hub.ca import open_authority
from zeus_hub.config import ZeusSettings, plan_of
from zeus_hub.local import LIFETIME, RENEW, Addresses, Pulse
from zeus_hub.plan import Plan

pytestmark = pytest.mark.usefixtures("both")

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _settings(state_dir: Path, **changes: str) -> Plan:
    settings = ZeusSettings(state_dir=state_dir, **changes)  # type: ignore[arg-type]
    return plan_of(settings, state_dir / "zeus.toml")


def test_enrolment_has_the_next_port_unless_it_is_set(tmp_path: Path) -> None:
    assert local.enroll_listen(_settings(tmp_path, listen="0.0.0.0:8443")) == "0.0.0.0:8444"
    assert local.enroll_listen(_settings(tmp_path, listen="[::]:0")) == "[::]:0"
    chosen = _settings(tmp_path, listen="0.0.0.0:8443", enroll_listen="127.0.0.1:9")
    assert local.enroll_listen(chosen) == "127.0.0.1:9"


def test_a_hub_that_never_ran_listens_where_it_is_set_to(tmp_path: Path) -> None:
    found = local.listening(_settings(tmp_path, listen="127.0.0.1:8443"))

    assert found == Addresses("127.0.0.1:8443", "127.0.0.1:8444")


def test_a_hub_that_runs_says_which_ports_it_was_given(tmp_path: Path) -> None:
    settings = _settings(tmp_path, listen="0.0.0.0:0")
    local.write_addresses(tmp_path, Addresses("0.0.0.0:4000", "[::]:5000"))

    assert local.listening(settings) == Addresses("0.0.0.0:4000", "[::]:5000")
    assert local.loopback(settings) == Addresses("127.0.0.1:4000", "[::1]:5000")


def test_a_damaged_note_of_the_addresses_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "hub.json").write_text("{")
    with pytest.raises(OperatorError, match=r"hub.json[^\n]*\n.*Restart"):
        local.listening(_settings(tmp_path))


def test_tokens_carry_the_public_addresses(tmp_path: Path) -> None:
    local.write_addresses(tmp_path, Addresses("0.0.0.0:4000", "0.0.0.0:5000"))
    named = _settings(tmp_path, public_address="zeus.example:443")
    both = _settings(tmp_path, public_address="zeus.example:443", public_enroll_address="other.example:444")

    assert local.public(named) == Addresses("zeus.example:443", "zeus.example:5000")
    assert local.public(both) == Addresses("zeus.example:443", "other.example:444")


def test_without_a_public_address_tokens_name_one_that_can_be_dialled(tmp_path: Path) -> None:
    local.write_addresses(tmp_path, Addresses("127.0.0.1:4000", "127.0.0.1:5000"))
    assert local.public(_settings(tmp_path)) == Addresses("127.0.0.1:4000", "127.0.0.1:5000")
    local.write_addresses(tmp_path, Addresses("0.0.0.0:4000", "0.0.0.0:5000"))

    host, port = split(local.public(_settings(tmp_path)).hub)
    assert host != "0.0.0.0"
    assert port == 4000


def test_the_operator_of_this_machine_is_made_once_and_known(tmp_path: Path) -> None:
    engine, authority = opened(tmp_path), open_authority(tmp_path, now=NOW)
    made = local.operator(tmp_path, engine, authority, "h:1", now=NOW)
    again = local.operator(tmp_path, engine, authority, "h:1", now=NOW + timedelta(days=1))
    (watcher,) = registry.list_watchers(engine)

    assert made == again
    assert (watcher.role, watcher.name, watcher.clients) == (Role.OPERATOR, "local", None)
    assert stat.S_IMODE((tmp_path / "operator" / "identity" / "key.pem").stat().st_mode) == 0o600


def test_the_operators_identity_is_renewed_before_it_ends_and_after_it_was_revoked(tmp_path: Path) -> None:
    engine, authority = opened(tmp_path), open_authority(tmp_path, now=NOW)
    made = local.operator(tmp_path, engine, authority, "h:1", now=NOW)
    late = NOW + LIFETIME - RENEW + timedelta(seconds=1)
    renewed = local.operator(tmp_path, engine, authority, "h:1", now=late)
    registry.revoke_watcher(engine, Role.OPERATOR, "local", now=late)

    assert renewed != made
    assert local.operator(tmp_path, engine, authority, "h:1", now=late) != renewed


async def test_addresses_are_told_as_soon_as_the_disk_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once in the log, however often it fails."""
    monkeypatch.setattr(local, "RETRY_SECONDS", 0.01)
    folder = tmp_path / "later"
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(local.tell_addresses(folder, Addresses("a:1", "b:2")))
        await asyncio.sleep(0.1)
        folder.mkdir()

    assert caplog.text.count("cannot be told") == 1
    assert '"a:1"' in (folder / "hub.json").read_text()


def test_what_stands_there_already_is_not_written_again(tmp_path: Path) -> None:
    """On a full disk it could not be."""
    local.write_addresses(tmp_path, Addresses("a:1", "b:2"))
    before = (tmp_path / "hub.json").stat()
    local.write_addresses(tmp_path, Addresses("a:1", "b:2"))
    after = (tmp_path / "hub.json").stat()

    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_pulse_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert local.read_pulse(tmp_path) is None
    pulse = Pulse(NOW, {"acme/acme-1": [{"source": "eve.json", "stages": {"tail": {"number": 1}}}]})
    local.write_pulse(tmp_path, pulse)

    assert local.read_pulse(tmp_path) == pulse
    local.write_pulse(tmp_path, Pulse(NOW, unheard=("acme/acme-1",), running=False))
    assert local.read_pulse(tmp_path) == Pulse(NOW, {}, ("acme/acme-1",), running=False)
    assert [path.name for path in tmp_path.iterdir()] == ["pulse.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"time": 5, "canaries": {}}', '{"time": "2026-01-01"}'])
def test_a_pulse_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pulse.json").write_text(text)

    assert local.read_pulse(tmp_path) is None
