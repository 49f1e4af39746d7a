"""What the hub needs for rules that are right by themselves, and what is hardly meant."""

from pathlib import Path

import pytest

from socme.errors import OperatorError
from zeus_hub import fitness
from zeus_hub.routes.reading import load
from zeus_hub.routes.rules import Rules

RULES = """
[receiver.desk]
kind = "webhook"
url_file = "url"
secret_file = "secret"

[receiver.hook]
kind = "webhook"
url_file = "url"
secret_file = "secret"

[[route]]
name = "all"
clients = ["acme", "socme"]
receivers = ["desk", "hook"]
"""


def rules(folder: Path, text: str = RULES) -> Rules:
    (folder / "rules.toml").write_text(text)
    return load(folder)


def secret(folder: Path, mode: int) -> None:
    (folder / "url").write_text("https://127.0.0.1:1/")
    (folder / "url").chmod(0o600)
    path = folder / "secret"
    path.write_text("a secret of some length")
    path.chmod(mode)


async def test_receivers_are_made_of_what_is_described(tmp_path: Path) -> None:
    secret(tmp_path, 0o600)
    known = rules(tmp_path)

    made = fitness.make(known, known.receivers.values())

    assert sorted(made) == ["desk", "hook"]
    for each in made.values():
        await each.receiver.close()


def test_what_cannot_be_made_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    known = rules(tmp_path, RULES.replace("url_file", "uri_file"))

    with pytest.raises(OperatorError) as failure:
        fitness.make(known, known.receivers.values())

    assert "rules.toml:2: receiver.desk" in failure.value.args[0]
    assert "and 1 more" in failure.value.args[0]
    assert "rules.toml:7: receiver.hook" in failure.value.args[0]


def test_a_client_that_there_is_not_is_odd(tmp_path: Path) -> None:
    """The hub itself has alerts, though no one enrolled it."""
    secret(tmp_path, 0o600)
    known = rules(tmp_path)

    assert list(fitness.odd(known, {"acme"})) == []
    [said] = fitness.odd(known, {"beta"})
    assert said.endswith("route all is for a client that there is not: acme")


def test_where_nobody_knows_the_clients_none_is_odd(tmp_path: Path) -> None:
    secret(tmp_path, 0o600)

    assert list(fitness.odd(rules(tmp_path), None)) == []


@pytest.mark.parametrize("mode", [0o604, 0o602])
def test_a_secret_that_is_everybodys_is_odd(tmp_path: Path, mode: int) -> None:
    secret(tmp_path, mode)

    first, second = fitness.odd(rules(tmp_path), None)

    assert "receiver.desk" in first
    assert "receiver.hook" in second
    assert f"chmod 600 {tmp_path / 'secret'}" in first
