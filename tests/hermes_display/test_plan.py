from pathlib import Path

from hermes_display.config import plan
from hermes_display.plan import Looks, Plan
from socme.apart import apart

SETTINGS = """
state_dir = "state"
hub_address = "zeus:8443"
listen = "127.0.0.1:9090"
[watch]
clients = ["acme"]
min_severity = "high"
[wall]
title = "SOC"
language = "fr"
theme = "light"
scale = 1.3
sound = true
"""


def test_it_is_what_the_settings_say_and_comes_whole_from_another_process(tmp_path: Path) -> None:
    config = tmp_path / "hermes.toml"
    config.write_text(SETTINGS)

    assert apart(lambda: plan(config)) == Plan(
        state_dir=tmp_path / "state",
        hub_address="zeus:8443",
        listen="127.0.0.1:9090",
        clients=("acme",),
        min_severity="high",
        looks=Looks(title="SOC", language="fr", theme="light", scale=1.3, sound=True),
    )
