"""What the demo tells can be copied and run."""

import tomllib
from pathlib import Path

from artemis_agent.config import ArtemisSettings
from hermes_display.config import HermesSettings
from socme.demo.guide import guide
from socme.demo.layout import SITES, Layout, settings
from zeus_hub.config import ZeusSettings

LAYOUT = Layout(Path("/somewhere/with blanks"), 10001, 10002, 10003)


def test_the_settings_files_are_good_settings() -> None:
    files = settings(LAYOUT)

    assert ZeusSettings(**tomllib.loads(files[LAYOUT.zeus])).listen == "127.0.0.1:10001"
    assert HermesSettings(**tomllib.loads(files[LAYOUT.hermes])).listen == "127.0.0.1:10003"
    for site in SITES:
        found = ArtemisSettings(**tomllib.loads(files[LAYOUT.artemis(site)]))
        assert [LAYOUT.artemis(site).parent / source.path for source in found.source] == [
            LAYOUT.eve(site),
            LAYOUT.wazuh(site),
        ]


def test_the_guide_names_the_wall_the_folder_and_the_process_to_kill() -> None:
    text = guide(LAYOUT, {"acme-1": 4711, "globex-1": 4712}, kept=False)

    assert "http://127.0.0.1:10003" in text
    assert "/somewhere/with blanks and is removed at the end" in text
    assert "kill -9 4711" in text
    assert "alert list --min-severity high --config '/somewhere/with blanks/zeus/zeus.toml'" in text
