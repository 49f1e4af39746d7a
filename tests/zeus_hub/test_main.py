"""Where the hub begins. How it does is in tests/zeus_hub/commands/test_serve.py."""

import subprocess
import sys


def test_the_hub_holds_nothing_that_is_for_settings_and_commands_alone() -> None:
    """What reads settings and command lines is large, and needed once (socme.launch)."""
    program = "import sys, zeus_hub.__main__, zeus_hub.hub; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "zeus_hub.ingest" in done.stdout.split()
    assert not {"pydantic", "pydantic_settings", "typer", "zeus_hub.config"} & set(done.stdout.split())
