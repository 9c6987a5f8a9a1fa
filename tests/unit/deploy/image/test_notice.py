"""NOTICE names what the wheel and the image carry of others, under the licenses that the packages state."""

import re
from importlib.metadata import files, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
NOTICE = (ROOT / "NOTICE").read_text()
LISTED = dict(re.findall(r"^    ([a-z0-9-]+) {2,}(\S.*)$", NOTICE, re.MULTILINE))
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Dual License": "BSD-3-Clause, parts also Apache-2.0",  # python-dateutil, by its LICENSE
}
"""Names that packages use for licenses in place of an SPDX expression."""


def locked() -> list[str]:
    """Return the names of the packages in the image."""
    folder = ROOT / "deploy" / "image"
    lists = [(folder / name).read_text() for name in ("requirements.txt", "requirements-layer.txt")]
    return [name for text in lists for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)]


def test_every_package_of_the_image_is_listed() -> None:
    assert list(LISTED) == locked()


@pytest.mark.parametrize("name", LISTED)
def test_the_license_is_the_packages_own(name: str) -> None:
    (stated,) = metadata(name).get_all("License-Expression") or metadata(name).get_all("License") or [""]
    assert LISTED[name] == SPDX.get(stated, stated)


def test_botocores_notice_goes_with_its_data() -> None:
    (own,) = [file.read_text() for file in files("botocore") or [] if file.name == "NOTICE"]
    name, copyright_line = own.splitlines()[:2]
    assert f"    {name}\n    {copyright_line}\n" in NOTICE
