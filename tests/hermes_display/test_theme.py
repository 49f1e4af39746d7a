"""Whoever stands four metres away reads the wall, in both themes (WCAG 2: 4.5 to 1 for text)."""

import re

import pytest

from hermes_display.files import load
from tests.hermes_display.site import looks

LEAST = 4.5
PAIRS = [
    *(
        (ink, ground)
        for ink in ("text", "soft", "faint")
        for ground in ("panel", "tile", "high-tile", "hatch-too")
    ),
    *((ink, "panel") for ink in ("critical", "high", "medium", "low", "silent", "handled")),
    *((ink, "page") for ink in ("high", "silent", "good", "faint", "text")),
    *((ink, "tile") for ink in ("medium", "good", "handled", "number")),
    *(("silent", ground) for ground in ("hatch", "hatch-too", "late-tile")),
    ("high", "high-tile"),
    ("warn-text", "warn"),
    ("text", "tactic"),
]
WHITE_ON = ("red", "deep-red", "alarm")


def themes() -> dict[str, dict[str, str]]:
    """Return the colours of each theme; what the light one does not name is as in the dark one."""
    text = load(looks())["/theme.css"].content.decode()
    dark, light = (dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in text.split("[data-theme=", 1))
    return {"dark": dark, "light": dark | light}


def brightness(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((brightness(one), brightness(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_is_reckoned_as_the_guidelines_do() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#f2f5f9", "#151c26") == pytest.approx(15.7, abs=0.1)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_text_can_be_read(theme: str) -> None:
    colours = themes()[theme]
    poor = {
        f"{ink} on {ground}": round(found, 2)
        for ink, ground in PAIRS
        if (found := contrast(colours[ink], colours[ground])) < LEAST
    }
    poor |= {
        f"white on {ground}": round(found, 2)
        for ground in WHITE_ON
        if (found := contrast("#ffffff", colours[ground])) < LEAST
    }
    assert poor == {}
