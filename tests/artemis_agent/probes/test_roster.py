"""Which probes there are, by the settings."""

from datetime import timedelta
from pathlib import Path

import pytest

from artemis_agent.config import ProbeSettings, WazuhApiSettings, neighbours_of
from artemis_agent.probes import agents, roster
from artemis_agent.probes.outside import UnknownError
from artemis_agent.probes.panel import Panel, Probe
from artemis_agent.probes.wazuh_api import WazuhApi
from socme import identity
from socme.v1.vitals_pb2 import Vitals
from tests.certificates import make_authority


def named(probes: list[Probe]) -> dict[str, Probe]:
    return {probe.name: probe for probe in probes}


def test_every_probe_has_a_name_of_its_own_and_is_kept_for_a_while(tmp_path: Path) -> None:
    probes = roster.probes(neighbours_of(ProbeSettings(), tmp_path / "artemis.toml"))

    assert len(named(probes)) == len(probes)
    assert all(probe.every_seconds >= roster.STATUS_SECONDS for probe in probes)


def test_this_machine_is_asked_without_harm(tmp_path: Path) -> None:
    """Whatever is on it."""
    found = Panel(roster.probes(neighbours_of(ProbeSettings(), tmp_path / "artemis.toml"))).tell()

    assert found.system.kernel
    assert found.ByteSize() < 8192


def test_agents_are_asked_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Path]()

    def ask_own(wazuh: Path) -> Vitals:
        asked.append(wazuh)
        return Vitals()

    monkeypatch.setattr(agents, "ask", ask_own)
    config = tmp_path / "artemis.toml"
    own = ProbeSettings(wazuh_dir=Path("ossec"))
    api = WazuhApiSettings(user="reader", password_file=Path("password"), certificate=Path("ca.pem"))

    named(roster.probes(neighbours_of(own, config)))["wazuh.agents"].ask()
    assert asked == [tmp_path / "ossec"]
    ask = named(roster.probes(neighbours_of(ProbeSettings(wazuh_api=api), config)))["wazuh.agents"].ask
    assert isinstance(ask.__self__, WazuhApi)  # type: ignore[attr-defined]
    assert ask.__self__.password_file == tmp_path / "password"  # type: ignore[attr-defined]
    assert ask.__self__.certificate == tmp_path / "ca.pem"  # type: ignore[attr-defined]


def test_a_folder_that_is_closed_is_that_of_an_agent_where_there_is_no_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_wazuh: Path) -> Vitals:
        raise UnknownError("permission denied: /var/ossec/queue/db/wdb")

    monkeypatch.setattr(agents, "ask", refuse)
    assert roster._own_agents("wazuh-manager.service", tmp_path, tmp_path) == Vitals()
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/wazuh-manager.service").touch()
    with pytest.raises(UnknownError, match="permission denied"):
        roster._own_agents("wazuh-manager.service", tmp_path, tmp_path)


def test_a_hive_is_asked_where_the_settings_say(tmp_path: Path) -> None:
    own = ProbeSettings(thehive_url="http://127.0.0.1:1/hive")
    probes = roster.probes(neighbours_of(own, tmp_path / "x.toml"))

    with pytest.raises(UnknownError, match=r"no answer from 127\.0\.0\.1:1"):
        named(probes)["thehive.version"].ask()


def test_a_certificate(tmp_path: Path) -> None:
    """None before enrolment, its end after it, and that as well when it is over."""
    probe = roster.certificate(tmp_path)
    assert probe.ask() == Vitals()
    own = make_authority().node("127.0.0.1:1")
    identity.save(tmp_path, own)
    assert probe.ask().certificate_expires.ToDatetime(own.expires.tzinfo) == own.expires
    told = (tmp_path / "identity/identity.json").read_text()
    past = own.expires - timedelta(days=2000)
    (tmp_path / "identity/identity.json").write_text(told.replace(own.expires.isoformat(), past.isoformat()))
    assert probe.ask().certificate_expires.ToDatetime(past.tzinfo) == past


def test_a_certificate_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "identity").mkdir()
    with pytest.raises(UnknownError, match="not enrolled"):
        roster.certificate(tmp_path).ask()
