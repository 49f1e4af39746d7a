"""The files of the page: those beside this module, and the fonts of two packages where they are installed.

The page works without the fonts: the system's own stand behind them.
"""

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources, util
from pathlib import Path
from string import Template

from hermes_display.plan import Looks

TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
STATIC = (
    "icon.svg",
    "wall.css",
    "theme.css",
    "wall.js",
    "alarm.js",
    "charts.js",
    "dom.js",
    "feed.js",
    "nodes.js",
    "tiles.js",
    "words.js",
)
# The address of each font, its package and its file there.
FONTS: Mapping[str, tuple[str, str]] = {
    "/fonts/text.ttf": ("fontpkg_inter", "Inter[opsz,wght].ttf"),
    "/fonts/digits-600.ttf": ("fontpkg_barlow_semi_condensed", "BarlowSemiCondensed-SemiBold.ttf"),
    "/fonts/digits-700.ttf": ("fontpkg_barlow_semi_condensed", "BarlowSemiCondensed-Bold.ttf"),
}
LASTING = "max-age=86400"  # of fonts, which do not change with the page


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served."""

    content: bytes
    media_type: str
    cache: str = "no-store"


def load(looks: Looks) -> dict[str, File]:
    """Return all files by address."""
    page = Template(_static("index.html").decode()).substitute(
        {key: html.escape(value) for key, value in _values(looks).items()}
    )
    return {
        "/": File(page.encode(), TYPES[".html"]),
        **{f"/{name}": File(_static(name), TYPES[Path(name).suffix]) for name in STATIC},
        **_fonts(),
    }


def build(files: Mapping[str, File]) -> str:
    """Return what tells these files from others, so that a page knows when it is out of date."""
    digest = hashlib.sha256()
    for address in sorted(files):
        digest.update(files[address].content)
    return digest.hexdigest()[:16]


def _values(looks: Looks) -> dict[str, str]:
    return {
        "language": looks.language,
        "theme": looks.theme,
        "scale": f"{looks.scale:g}",
        "sound": "on" if looks.sound else "off",
        "title": looks.title,
    }


def _static(name: str) -> bytes:
    return resources.files("hermes_display").joinpath("static", name).read_bytes()


def _fonts() -> dict[str, File]:
    found = {}
    for address, (package, name) in FONTS.items():
        spec = util.find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            path = Path(folder) / "files" / name
            if path.is_file():
                found[address] = File(path.read_bytes(), TYPES[".ttf"], LASTING)
    return found
