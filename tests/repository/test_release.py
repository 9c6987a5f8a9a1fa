"""A release has the notes of its version, and its image records the base image's digest."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.context import ARCHITECTURES, ENVIRONMENTS
from emulator.environment import PROJECT_ROOT

LABEL = "org.opencontainers.image.base.digest"
DIGEST = f"sha256:{'0a' * 32}"
VERSION = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def _jobs() -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))[
        "jobs"
    ]
    return jobs


def _checkout(folder: Path, changelog: str) -> Path:
    """Make a folder with the script, a version 1.2.0 and a changelog."""
    (folder / ".ci").mkdir()
    shutil.copy(PROJECT_ROOT / ".ci" / "release-notes", folder / ".ci")
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n', encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    return folder


def _notes(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [str(folder / ".ci" / "release-notes"), version]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_notes_are_the_section_of_the_version(tmp_path: Path) -> None:
    folder = _checkout(
        tmp_path, "# Changelog\n\n## [1.2.0] - 2026-01-02\n\n### Added\n- A.\n\n## [1.1.0] - 2026-01-01\n- B.\n"
    )
    result = _notes(folder, "1.2.0")
    assert (result.returncode, result.stdout) == (0, "\n### Added\n- A.\n")


@pytest.mark.parametrize(
    ("changelog", "version", "complaint"),
    [
        ("## [1.3.0] - 2026-01-02\n- A.\n", "1.3.0", "the version of pyproject.toml is 1.2.0"),
        ("## [Unreleased]\n- A.\n", "1.2.0", "CHANGELOG.md has no section"),
        ("## [1.2.0] - 2026-01-02\n\n## [1.1.0] - 2026-01-01\n- B.\n", "1.2.0", "CHANGELOG.md has no section"),
    ],
)
def test_a_tag_without_notes_is_refused(tmp_path: Path, changelog: str, version: str, complaint: str) -> None:
    result = _notes(_checkout(tmp_path, changelog), version)
    assert result.returncode == 1
    assert result.stderr.startswith(complaint)


def test_the_changelog_has_the_version_of_the_project() -> None:
    """The changes since then are above it, under Unreleased."""
    result = _notes(PROJECT_ROOT, VERSION)
    assert result.returncode == 0, result.stderr
    assert "### Added" in result.stdout
    changelog = (PROJECT_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert headings[:2] == ["Unreleased", VERSION]


def test_the_release_follows_the_checks() -> None:
    jobs = _jobs()
    assert jobs["checks"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["image"]["needs"] == ["notes", "checks"]
    assert jobs["release"]["needs"] == "image"


def test_the_image_is_attested_by_the_digest_of_the_registry() -> None:
    steps = _jobs()["image"]["steps"]
    attestations = [step["with"] for step in steps if step.get("uses", "").startswith("actions/attest@")]
    assert [attestation.get("sbom-path") for attestation in attestations] == [None, "sbom.cdx.json"]
    for attestation in attestations:
        assert attestation["subject-digest"] == "${{ steps.push.outputs.digest }}"
        assert attestation["push-to-registry"] is True


def test_the_release_fails_without_the_digest_of_the_base() -> None:
    """The step comes after the build and before the push."""
    steps = _jobs()["image"]["steps"]
    commands = [step.get("run", "") for step in steps]
    [build] = [index for index, command in enumerate(commands) if "make image" in command]
    [check] = [index for index, command in enumerate(commands) if LABEL in command]
    [push] = [index for index, command in enumerate(commands) if "docker push" in command]
    assert build < check < push
    assert "grep -E '^sha256:[0-9a-f]{64}$'" in commands[check]


def test_the_release_has_the_template_of_each_environment() -> None:
    """It names the image by the tag under which this workflow pushes it: version and architecture."""
    jobs = _jobs()
    write, create = (step["run"] for step in jobs["release"]["steps"][-2:])
    environments = re.search(r"for environment in (.*); do", write)

    assert environments is not None
    assert environments[1].split() == list(ENVIRONMENTS)
    assert "make template ENVIRONMENT=" in write
    assert "build/template-*.json" in create
    tagged = jobs["image"]["strategy"]["matrix"]["include"]
    assert {each["architecture"] for each in tagged} == set(ARCHITECTURES)
    assert ":${GITHUB_REF_NAME#v}-$ARCHITECTURE" in jobs["image"]["steps"][1]["run"]


def test_the_build_starts_from_the_digest_and_records_it() -> None:
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    build_stages = re.findall(r"^FROM \S+ AS (\S+)", dockerfile, re.MULTILINE)
    assert [base for base in bases if base not in build_stages] == ["${BASE_IMAGE}${BASE_DIGEST:+@${BASE_DIGEST}}"]
    assert f'{LABEL}="${{BASE_DIGEST}}"' in dockerfile
    final_build_stage = dockerfile[dockerfile.rindex("\nFROM ") :]
    assert re.search(r"^ARG BASE_DIGEST$", final_build_stage, re.MULTILINE), (
        "an argument is unset in a build stage that does not name it"
    )


def _with_docker(folder: Path, script: str) -> dict[str, str]:
    """Return an environment whose docker is a shell script."""
    docker = folder / "docker"
    docker.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    docker.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_make_image_asks_the_registry(tmp_path: Path) -> None:
    """The fake docker answers the question for the digest and writes the arguments of the build."""
    environment = _with_docker(
        tmp_path, f'case "$1" in buildx) echo "{DIGEST}" ;; build) echo "$@" >"{tmp_path}/build" ;; esac'
    )
    command = ["make", "image", "IMAGE_TAG=some:tag", "IMAGE_SOURCE=https://example.com/some"]
    subprocess.run(command, cwd=PROJECT_ROOT, env=environment, check=True, capture_output=True)
    arguments = (tmp_path / "build").read_text(encoding="utf-8").split()
    assert f"BASE_DIGEST={DIGEST}" in arguments
    assert f"VERSION={VERSION}" in arguments
    assert "some:tag" in arguments


@pytest.mark.parametrize("script", ["exit 1", "echo", "echo latest"])
def test_without_a_registry_the_digest_is_unknown(tmp_path: Path, script: str) -> None:
    result = subprocess.run(
        [PROJECT_ROOT / "deploy" / "image" / "base-digest"],
        env=_with_docker(tmp_path, script),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == ""
    assert LABEL in result.stderr
