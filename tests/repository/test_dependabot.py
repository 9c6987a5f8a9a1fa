"""Dependabot updates every lock, manifest and workflow, in groups and after a cooldown."""

import fnmatch
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from emulator.environment import PROJECT_ROOT
from tests.support.tree import project_files

UPDATES: list[dict[str, Any]] = yaml.safe_load((PROJECT_ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))[
    "updates"
]
_MANIFESTS = {
    "docker": "Dockerfile",
    "docker-compose": "docker-compose.yml",
    "npm": "package-lock.json",
    "uv": "uv.lock",
}


def _folders(ecosystem: str) -> Iterator[str]:
    for update in UPDATES:
        if update["package-ecosystem"] == ecosystem:
            yield from update.get("directories") or [update["directory"]]


@pytest.mark.parametrize("ecosystem", _MANIFESTS)
def test_each_manifest_is_updated(ecosystem: str) -> None:
    """A folder without a manifest would end the update, a manifest without a folder would grow old."""
    name = _MANIFESTS[ecosystem]
    files = {path for path in project_files(PROJECT_ROOT, f"*{name}") if path.name == name}
    assert {PROJECT_ROOT / folder.lstrip("/") / name for folder in _folders(ecosystem)} == files


def test_the_actions_are_updated() -> None:
    assert list(_folders("github-actions")) == ["/"]


def test_every_update_waits_and_is_grouped() -> None:
    for update in UPDATES:
        assert update["cooldown"]["default-days"] >= 7
        assert update["groups"]
        assert update["schedule"] == {"interval": "weekly"}


@pytest.mark.parametrize(
    "package", ["boto3", "botocore", "opentelemetry-sdk", "opentelemetry-instrumentation-botocore", "urllib3", "wrapt"]
)
def test_what_patches_another_is_in_its_group(package: str) -> None:
    [groups] = [
        update["groups"] for update in UPDATES if (update["package-ecosystem"], update.get("directory")) == ("uv", "/")
    ]
    names = [
        name for name, group in groups.items() if any(fnmatch.fnmatch(package, glob) for glob in group["patterns"])
    ]
    assert names[0] == "runtime"
    assert package in _locked(PROJECT_ROOT / "uv.lock")


def _locked(path: Path) -> set[str]:
    return {package["name"] for package in tomllib.loads(path.read_text(encoding="utf-8"))["package"]}
