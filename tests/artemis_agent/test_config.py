"""Settings of Artemis as they stand in a file."""

import re
from pathlib import Path

import pytest

from artemis_agent.config import ArtemisSettings, RollupSettings, plan_of
from socme.errors import OperatorError
from socme.settings import load
from tests.conftest import REPOSITORY

SOURCE = '[[source]]\nkind = "suricata"\npath = "/var/log/suricata/eve.json"\n'


def read(folder: Path, text: str) -> ArtemisSettings:
    """Return the settings that a file with this text holds."""
    file = folder / "artemis.toml"
    file.write_text(text)
    return load(ArtemisSettings, file)


def test_one_source_is_enough(tmp_path: Path) -> None:
    """It starts at the end, and every alert of it is sent."""
    settings = read(tmp_path, SOURCE)
    assert settings.source[0].start == "end"
    assert settings.filter.min_severity == "low"
    assert not settings.filter.keep_both
    assert settings.spool.when_full == "pause"
    assert settings.canary.interval_seconds == 60


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "source: this key is needed"),
        ("source = []", "source: .*at least 1"),
        (SOURCE * 33, "source: .*at most 32"),
        (SOURCE.replace("suricata", "snort", 1), "source.0.kind: .*'wazuh'"),
        (SOURCE + 'strat = "end"', "source.0.strat: there is no such key"),
        (SOURCE + 'start = "middle"', "source.0.start: .*'beginning'"),
        (SOURCE.replace("/suricata/", "/suricata-%Y/"), "source.0.path: .*not its folder: suricata-%Y"),
        (SOURCE.replace("/suricata/", "/*/"), "source.0.path: .*not its folder"),
        ("vitals_interval_seconds = 0\n" + SOURCE, "vitals_interval_seconds: "),
        ('hub_address = "zeus"\n' + SOURCE, "hub_address: give .host:port"),
        ('hub_address = ["zeus:1", "zeus"]\n' + SOURCE, "hub_address: give .host:port"),
        ("hub_address = []\n" + SOURCE, "hub_address: .*at least 1"),
        (SOURCE + '[filter]\nmin_severity = "urgent"', "filter.min_severity: .*'critical'"),
        (
            SOURCE + SOURCE.replace("suricata", "wazuh", 1),
            "source: two sources follow /var/log/suricata/eve.json",
        ),
        (SOURCE.replace("[[source]]", "[source]"), r"source: write a list, or tables under \[\[source\]\]"),
        ("state_dir = 5\n" + SOURCE, "state_dir: give a path in quotes"),
        (SOURCE + "[spool]\nmax_bytes = 1", "spool.max_bytes: .*1048576"),
        (SOURCE + '[spool]\nwhen_full = "drop"', "spool.when_full: .*'drop-lowest'"),
        (SOURCE + "[rollup]\nburst = 0", "rollup.burst: .*1"),
        (SOURCE + "[canary]\ninterval_seconds = -1", "canary.interval_seconds: .*0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    """By its key, with what would be right."""
    with pytest.raises(OperatorError, match=named) as error:
        read(tmp_path, text)
    assert str(error.value).count("\n    ") == 1, "one mistake is told once"


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not in the file that is to be mended."""
    monkeypatch.setenv("ARTEMIS_SPOOL__MAX_BYTES", "much")
    with pytest.raises(
        OperatorError, match=r"spool.max_bytes \(environment variable ARTEMIS_SPOOL__MAX_BYTES\): "
    ):
        read(tmp_path, SOURCE)


@pytest.mark.parametrize("name", ["eve-*.json", "eve-%Y-%m-%d-%H:%M.1.json"])
def test_a_name_may_change_with_the_time(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, SOURCE.replace("eve.json", name)).source[0].path.name == name


def test_flood_control_is_off_without_its_section(tmp_path: Path) -> None:
    """Present and empty, it is on with sane figures."""
    assert read(tmp_path, SOURCE).rollup is None
    empty = read(tmp_path, SOURCE + "[rollup]").rollup
    assert empty is not None
    assert (empty.burst, empty.window_seconds) == (20, 60)


def test_the_shipped_settings_roll_floods_up() -> None:
    shipped = load(ArtemisSettings, REPOSITORY / "systemd" / "artemis.toml")

    assert shipped.rollup == RollupSettings()
    assert [source.kind for source in shipped.source] == ["suricata", "wazuh"]


def test_one_hub_or_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file and in the environment."""
    assert read(tmp_path, SOURCE).hub_address is None
    assert read(tmp_path, 'hub_address = "a:1"\n' + SOURCE).hub_address == ("a:1",)
    assert read(tmp_path, 'hub_address = ["a:1", "b:2"]\n' + SOURCE).hub_address == ("a:1", "b:2")
    monkeypatch.setenv("ARTEMIS_HUB_ADDRESS", "c:3")
    assert read(tmp_path, SOURCE).hub_address == ("c:3",)
    monkeypatch.setenv("ARTEMIS_HUB_ADDRESS", '["c:3", "d:4"]')
    assert read(tmp_path, SOURCE).hub_address == ("c:3", "d:4")


@pytest.mark.parametrize(
    ("vitals", "canary", "seconds"),
    [(10, 60, 10), (60, 60, 15), (10, 20, 5), (10, 0, 10), (3600, 0, 3600), (1, 1, 1), (10, 2, 1)],
)
def test_vitals_come_often_enough_for_the_hub_to_follow_canaries(
    tmp_path: Path, vitals: int, canary: int, seconds: float
) -> None:
    text = f"vitals_interval_seconds = {vitals}\n{SOURCE}\n[canary]\ninterval_seconds = {canary}\n"

    assert read(tmp_path, text).vitals_seconds == seconds


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('suricata_unit = "suricata"', "probes.suricata_unit"),
        ('suricata_unit = "--help.service"', "probes.suricata_unit"),
        ('suricata_unit = "../x.service"', "probes.suricata_unit"),
        ('thehive_url = "ftp://x"', "probes.thehive_url"),
        ('wazuh_api = { url = "http://127.0.0.1", user = "a", password_file = "b" }', "probes.wazuh_api.url"),
        ('wazuh_api = { user = "a" }', "probes.wazuh_api.password_file"),
        ('wazuh_api = { user = "a:b", password_file = "b" }', "probes.wazuh_api.user"),
        ('wazuh_api = { user = "a", password_file = "b", password = "c" }', "no such key"),
    ],
)
def test_neighbours_that_cannot_be(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(OperatorError, match=re.escape(words)):
        read(tmp_path, f"{SOURCE}\n[probes]\n{table}\n")


GLASS = 'to = ["a@b.example"]\nsender = "c@d.example"\nhost = "mail.b.example"\n'


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (GLASS.replace("a@b.example", "nobody"), "break_glass.to.0"),
        (GLASS.replace("a@b.example", "a@b.example\\nBcc: x@y.example"), "break_glass.to.0"),
        (GLASS.replace('["a@b.example"]', "[]"), "break_glass.to"),
        (GLASS.replace('host = "mail.b.example"', ""), "break_glass.host"),
        (GLASS + "after_minutes = 0", "break_glass.after_minutes"),
        (GLASS + 'min_severity = "low"', "break_glass.min_severity"),
        (GLASS + 'security = "maybe"', "break_glass.security"),
        (GLASS + 'user = "u"', "user and password_file belong together"),
        (GLASS + 'user = "u"\npassword_file = "p"\nsecurity = "none"', "sends no password"),
        (GLASS + 'password = "p"', "no such key"),
    ],
)
def test_break_glass_that_cannot_be(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(OperatorError, match=re.escape(words)):
        read(tmp_path, f"{SOURCE}\n[break_glass]\n{table}\n")


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_goes_by_the_security(tmp_path: Path, security: str, port: int) -> None:
    settings = read(tmp_path, f'{SOURCE}\n[break_glass]\n{GLASS}security = "{security}"\n')

    made = plan_of(settings, tmp_path / "artemis.toml").break_glass
    assert made is not None
    assert (made.server.port, made.min_severity, made.after_seconds) == (port, "critical", 900)
