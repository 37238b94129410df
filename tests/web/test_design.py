"""The rules of docs/design/README.md that can be computed."""

from __future__ import annotations

import hashlib
import re
from itertools import combinations

import pytest

from clock.web.charts.marks import KINDS, mark_styles
from clock.web.rendering import STATIC

CSS = (STATIC / "dashboard.css").read_text()
MARKS = mark_styles()
DECISIONS = [kind for kind in KINDS if kind not in ("manual", "backfilled")]  # these are told apart by shape
TEXT, SURFACES = [*KINDS, "ink", "muted", "link", "danger"], ["surface", "page", "raised"]
Matrix = list[list[float]]

#: What people with a colour vision deficiency see (Machado, Oliveira, Fernandes 2009, severity 1), in linear RGB.
VISION: dict[str, Matrix] = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
LEAST_DIFFERENCE = 12  # in CIE Lab; shape and word tell decisions apart as well


COLOURS = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS + MARKS)
THEMES = {
    "light": {name: light for name, light, _ in COLOURS},
    "dark": {name: dark for name, _, dark in COLOURS},
}


def _linear(colour: str) -> list[float]:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def _contrast(one: str, other: str) -> float:
    lights = [sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), _linear(c), strict=True)) for c in (one, other)]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def _lab(colour: str, vision: Matrix) -> tuple[float, float, float]:
    red, green, blue = (
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, _linear(colour), strict=True)))) for row in vision
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("theme", THEMES)
def test_text_has_enough_contrast_on_every_surface(theme: str) -> None:
    colours = THEMES[theme]

    low = [
        (name, surface)
        for name in TEXT
        for surface in SURFACES
        if _contrast(colours[name], colours[surface]) < 4.5
    ]

    assert not low


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("name", "surface", "least"),
    [
        ("on-accent", "accent", 4.5),
        ("link", "selected", 4.5),
        ("danger", "bad-surface", 4.5),
        ("muted", "warn-surface", 4.5),
        ("ink", "bad-surface", 4.5),
        ("edge", "surface", 3.0),
    ],
)
def test_pairs_of_colours_have_enough_contrast(theme: str, name: str, surface: str, least: float) -> None:
    assert _contrast(THEMES[theme][name], THEMES[theme][surface]) >= least


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISION)
def test_decisions_differ_for_every_kind_of_colour_vision(theme: str, vision: str) -> None:
    seen = {kind: _lab(THEMES[theme][kind], VISION[vision]) for kind in DECISIONS}

    alike = [
        (one, other)
        for one, other in combinations(DECISIONS, 2)
        if sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5 < LEAST_DIFFERENCE
    ]

    assert not alike


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_that_the_user_chooses_replaces_that_of_the_system(theme: str) -> None:
    assert f':root[data-theme="{theme}"] {{\n  color-scheme: {theme};\n}}' in CSS


def test_htmx_is_the_version_that_was_reviewed() -> None:
    """Version 4; a new version changes this digest, after a look at its code."""
    digest = hashlib.sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest()

    assert digest == "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"


def test_nothing_moves_and_nothing_is_loaded_from_elsewhere() -> None:
    assert not re.findall(r"transition|animation|@import|url\(", CSS)
