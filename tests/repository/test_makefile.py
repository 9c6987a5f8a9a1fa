"""The Makefile: help that fits a terminal, a demo that installs only what it needs, paths with blanks."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from tests.support.tree import project_files

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _make(*arguments: str, root: Path = PROJECT_ROOT) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout


def _synchronised(target: str) -> list[str]:
    """Return the options of `uv sync` that a target runs."""
    return [match[1] for match in re.finditer(r"uv sync (.*)$", _make("--dry-run", target), re.MULTILINE)]


def test_help_fits_80_columns() -> None:
    lines = _make("help").splitlines()

    assert len(lines) > 12
    assert [line for line in lines if len(line) > 80] == []


def test_demo_installs_the_operator_extra_and_removes_nothing() -> None:
    assert PROJECT["tool"]["uv"]["default-groups"] == ["local"]
    assert PROJECT["dependency-groups"]["local"] == [f"{PROJECT['project']['name']}[operator]"]
    assert _synchronised("demo") == ["--locked --quiet --inexact"]


def test_tests_install_every_group_but_those_of_the_benchmark_and_the_site() -> None:
    (options,) = _synchronised("test")

    groups = {name for name in PROJECT["dependency-groups"] if not name.startswith("bench-")} - {"docs", "node"}
    assert set(re.findall(r"--group (\S+)", options)) | {"local"} == groups
    assert "--inexact" not in options


def test_the_site_installs_its_generator_and_removes_nothing() -> None:
    assert _synchronised("docs") == ["--locked --quiet --inexact --group docs"]


def test_the_image_is_built_without_attestations() -> None:
    """With them it is an index when it is pushed, and Lambda refuses it; CDK's own build sets the same variable."""
    assert "BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build" in _make("--dry-run", "image")


@pytest.mark.parametrize(
    ("target", "checked"),
    [
        (["deploy"], True),
        (["recover"], True),
        (["restore"], True),
        (["cdk", "ARGS=deploy --method=prepare-change-set"], True),
        (["cdk", "ARGS=bootstrap"], True),
        (["cdk", "ARGS=ls"], False),
        (["synth"], False),
    ],
)
def test_an_example_is_not_deployed(target: list[str], checked: bool) -> None:
    commands = _make("--dry-run", *target, "ENVIRONMENT=prod")

    assert (".venv/bin/python -m deploy.preflight -c environment=prod" in commands) == checked
    first, _, rest = commands.partition("deploy.preflight")
    assert not checked or ("aws-cdk/bin/cdk" in rest and "aws-cdk/bin/cdk" not in first)


def test_no_command_splits_the_path_of_the_project(tmp_path: Path) -> None:
    root = tmp_path / "a blank"
    root.mkdir()
    for file in project_files(PROJECT_ROOT, "."):
        copy = root / file.relative_to(PROJECT_ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()
    (root / "Makefile").write_bytes((PROJECT_ROOT / "Makefile").read_bytes())
    targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    commands = _make("--dry-run", *targets, root=root)

    assert len(targets) > 20
    assert str(root) in commands
    assert str(root) not in re.sub(r'"[^"\n]*"', "", commands), "outside of quotation marks"
