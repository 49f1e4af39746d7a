import re

import pytest

from hermes_display import files
from hermes_display.files import FONTS, STATIC, load
from tests.hermes_display.site import looks


def page(**settings: object) -> str:
    return load(looks(**settings))["/"].content.decode()


def test_settings_stand_on_the_page_as_text() -> None:
    text = page(title='<img src=x onerror="a"', language="fr", theme="light", scale=1.5, sound=True)
    head = '<html lang="fr" data-theme="light" data-scale="1.5" data-sound="on">'
    assert head in text
    assert "<img src=x" not in text[: text.index("<body>")]
    assert "&lt;img src=x" in text


def test_every_file_that_a_file_names_is_there() -> None:
    found = load(looks())
    named = {
        name
        for file in found.values()
        if not file.media_type.startswith("font")
        for name in re.findall(r'(?:src|href)="(/[^"]*)"|from "\.(/[^"]*)"', file.content.decode())
        for name in name
        if name
    }
    assert named
    assert named <= found.keys()
    assert {f"/{name}" for name in STATIC} <= found.keys()


def test_fonts_come_from_their_packages() -> None:
    found = load(looks())
    for address in FONTS:
        assert found[address].content[:4] == b"\x00\x01\x00\x00"
        assert found[address].media_type == "font/ttf"


def test_the_page_does_without_the_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FONTS", {"/fonts/text.ttf": ("no_such_package", "Inter.ttf")})
    assert not any(address.startswith("/fonts/") for address in load(looks()))


def test_another_setting_is_another_build() -> None:
    """So that a page that is open loads itself anew after a change of settings."""
    assert files.build(load(looks())) == files.build(load(looks()))
    assert files.build(load(looks())) != files.build(load(looks(theme="light")))
