"""Settings of Artemis as they stand in a file."""

from pathlib import Path

import pytest

from artemis_agent.config import ArtemisSettings
from socme.errors import OperatorError
from socme.settings import load

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


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "source: this key is needed"),
        ("source = []", "source: .*at least 1"),
        (SOURCE.replace("suricata", "snort", 1), "source.0.kind: .*'wazuh'"),
        (SOURCE + 'strat = "end"', "source.0.strat: there is no such key"),
        (SOURCE + 'start = "middle"', "source.0.start: .*'beginning'"),
        ("vitals_interval_seconds = 0\n" + SOURCE, "vitals_interval_seconds: "),
        ('hub_address = "zeus"\n' + SOURCE, "hub_address: give .host:port"),
        (SOURCE + '[filter]\nmin_severity = "urgent"', "filter.min_severity: .*'critical'"),
        (
            SOURCE + SOURCE.replace("suricata", "wazuh", 1),
            "source: two sources follow /var/log/suricata/eve.json",
        ),
        (SOURCE.replace("[[source]]", "[source]"), r"source: write a list, or tables under \[\[source\]\]"),
        ("state_dir = 5\n" + SOURCE, "state_dir: give a path in quotes"),
        (SOURCE + "[spool]\nmax_bytes = 1", "spool.max_bytes: .*1048576"),
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
