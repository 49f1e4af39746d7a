"""The program `zeus` as a whole."""

import subprocess
import sys

import pytest

# What takes long to import and must not slow down --help.
HEAVY = ("grpc", "sqlalchemy", "pydantic_settings", "cryptography", "alembic", "rich", "google.protobuf")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--help", "serve client token node alert watch check"),
        ("client --help", "add list show disable enable"),
        ("token --help", "create"),
        ("node --help", "list show revoke"),
        ("alert --help", "list show export"),
        ("alert list --help", "--since --until --severity --min-severity --technique --text --json --config"),
        ("watch --help", "--client --min-severity --json --config"),
    ],
)
def test_help_names_everything(arguments: str, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zeus_hub", *arguments.split()], capture_output=True, text=True, check=True
    )

    for word in told.split():
        assert word in done.stdout


def test_help_is_quick() -> None:
    """Nothing heavy is imported to find the commands."""
    program = "import sys, zeus_hub.command_line; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) & set(HEAVY) == set()


@pytest.mark.parametrize("arguments", ["fly", "client", "alert list --all", "client add", "alert show"])
def test_wrong_usage_exits_with_2(arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zeus_hub", *arguments.split()], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
