"""The lists that the Dockerfile installs from are what uv.lock says, and have wheels for both architectures."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[4]
LISTS = ROOT / "deploy" / "image"
NEWEST_GLIBC = (2, 28)
"""What the Dockerfile asks pip for; Amazon Linux 2023 has 2.34."""

_LAMBDA = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "python_full_version": "3.13.5"}
_REFRESH = "run deploy/image/export-requirements"

LOCK = tomllib.loads((ROOT / "uv.lock").read_text())
PACKAGES: dict[str, dict[str, Any]] = {package["name"]: package for package in LOCK["package"]}
PROJECT = PACKAGES["mark-earnings-processed"]


def _needed(dependencies: Iterable[dict[str, Any]]) -> set[str]:
    """The packages that these dependencies bring in on Lambda's Python."""
    found: set[str] = set()
    waiting = [(dependency, extra) for dependency in dependencies for extra in ("", *dependency.get("extra", []))]
    seen = set()
    while waiting:
        dependency, extra = waiting.pop()
        marker = dependency.get("marker")
        if (dependency["name"], extra) in seen or (marker and not Marker(marker).evaluate({**_LAMBDA, "extra": ""})):
            continue
        seen.add((dependency["name"], extra))
        package = PACKAGES[dependency["name"]]
        found.add(package["name"])
        own = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        waiting += [(next_one, wanted) for next_one in own for wanted in ("", *next_one.get("extra", []))]
    return found


def _listed(name: str) -> dict[str, tuple[str, set[str]]]:
    """Version and hashes by package, as a list has them."""
    text = (LISTS / name).read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return {
        canonicalize_name(line[0].split("==")[0]): (
            line[0].split("==")[1],
            {part.removeprefix("--hash=") for part in line[1:] if part.startswith("--hash=")},
        )
        for line in lines
    }


LISTED = {
    "requirements.txt": PROJECT["dependencies"],
    "requirements-layer.txt": PROJECT["dev-dependencies"]["layer"],
    "requirements-sbom.txt": PROJECT["dev-dependencies"]["image"],
}
NOT_ALL = {"requirements-layer.txt"}
"""Of what the dependencies bring in, only some: deploy/image/export-requirements says why."""


@pytest.mark.parametrize("name", LISTED)
def test_a_list_is_what_the_lock_says(name: str) -> None:
    listed = _listed(name)
    needed = _needed(LISTED[name])
    assert listed.keys() <= needed, _REFRESH
    assert name in NOT_ALL or listed.keys() == needed, _REFRESH
    for package, (version, hashes) in listed.items():
        locked = PACKAGES[package]
        files = [*locked.get("wheels", []), *([locked["sdist"]] if "sdist" in locked else [])]
        assert version == locked["version"], f"{package}: {_REFRESH}"
        assert hashes == {file["hash"] for file in files}, f"{package}: {_REFRESH}"


def test_the_layer_has_no_package_of_the_functions() -> None:
    assert "aws-opentelemetry-distro" in _listed("requirements-layer.txt")
    assert _listed("requirements-layer.txt").keys() & _listed("requirements.txt").keys() == set()


def test_the_docker_file_installs_by_hash_from_all() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name in LISTED:
        [install] = re.findall(
            rf"--requirement /build/{re.escape(name)}.*?(?:\n\n|\n    &&|\nCOPY)", dockerfile, re.DOTALL
        )
        assert "--require-hashes" in install
        assert "--only-binary :all:" in install


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_package_has_a_wheel_that_runs_on_lambda(machine: str) -> None:
    without = []
    for package in _listed("requirements.txt") | _listed("requirements-layer.txt"):
        names = [wheel["url"].rpartition("/")[2] for wheel in PACKAGES[package]["wheels"]]
        tags = {tag for name in names for tag in parse_wheel_filename(name)[3]}
        if not any(_runs(tag, machine) for tag in tags):
            without.append(package)
    assert without == []


def _runs(tag: Tag, machine: str) -> bool:
    return tag.interpreter in {"py3", "cp313"} | set(_stable()) and any(
        platform == "any" or (platform.endswith(machine) and _glibc(platform) <= NEWEST_GLIBC)
        for platform in [tag.platform]
    )


def _stable() -> Iterator[str]:
    yield from (f"cp3{minor}" for minor in range(2, 14))


def _glibc(platform: str) -> tuple[int, int]:
    names = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
    if (found := re.match(r"manylinux_(\d+)_(\d+)_", platform)) is not None:
        return int(found[1]), int(found[2])
    return names.get(platform.partition("_")[0], (99, 0))
