"""The colours of the pages: text has the contrast of WCAG 2.2 AA, in light and in dark."""

import re
from itertools import product
from pathlib import Path

import pytest

import mep.pages

BASE = (Path(mep.pages.__file__).parent / "base.css").read_text()
BACKGROUNDS = ("page", "panel", "chosen")
TEXTS = ("text", "dim", "ok", "info", "warning", "error")
AA = 4.5
"""https://www.w3.org/TR/WCAG22/#contrast-minimum"""


def colours(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", BASE, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    return {"light": light, "dark": {**light, **dark}}[scheme]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_on_every_background(scheme: str) -> None:
    found = colours(scheme)
    low = {
        (text, background): round(ratio, 2)
        for text, background in product(TEXTS, BACKGROUNDS)
        if (ratio := contrast(found[text], found[background])) < AA
    }
    assert low == {}


def test_the_measure_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#ffffff", "#c98a00") == pytest.approx(2.95, abs=0.05)
