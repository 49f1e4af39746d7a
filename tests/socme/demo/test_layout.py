"""Where the demo puts things, and that its settings are settings."""

import tomllib
from pathlib import Path

from socme.demo.layout import SITES, Layout, settings


def test_every_file_is_below_the_demos_folder(tmp_path: Path) -> None:
    """So that removing the folder removes everything."""
    layout = Layout(tmp_path, 1, 2, 3)
    paths = [*settings(layout), layout.log("zeus"), *(layout.eve(site) for site in SITES)]
    assert all(path.is_relative_to(tmp_path) for path in paths)


def test_settings_name_what_the_layout_names(tmp_path: Path) -> None:
    """Ports, and for each node the files that the demo writes."""
    layout = Layout(tmp_path, 1, 2, 3)
    read = {path: tomllib.loads(text) for path, text in settings(layout).items()}
    assert read[layout.zeus]["listen"] == "127.0.0.1:1"
    assert read[layout.zeus]["enroll_listen"] == "127.0.0.1:2"
    assert read[layout.hermes]["listen"] == "127.0.0.1:3"
    for site in SITES:
        folder = layout.artemis(site).parent
        followed = [folder / source["path"] for source in read[layout.artemis(site)]["source"]]
        assert followed == [layout.eve(site), layout.wazuh(site)]
