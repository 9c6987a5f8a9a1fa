"""The Makefile: help that fits a terminal, and a demo that installs only what it needs."""

import re
import subprocess
import tomllib

from emulator.environment import PROJECT_ROOT

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout


def _synchronised(target: str) -> list[str]:
    """Return the options of `uv sync` that a target runs."""
    return [match[1] for match in re.finditer(r"uv sync (.*)$", _make("--dry-run", target), re.MULTILINE)]


def test_help_fits_80_columns() -> None:
    lines = _make("help").splitlines()

    assert len(lines) > 20
    assert [line for line in lines if len(line) > 80] == []


def test_demo_installs_the_operator_extra_and_removes_nothing() -> None:
    assert PROJECT["tool"]["uv"]["default-groups"] == ["local"]
    assert PROJECT["dependency-groups"]["local"] == [f"{PROJECT['project']['name']}[operator]"]
    assert _synchronised("demo") == ["--locked --quiet --inexact"]


def test_tests_install_every_group_but_those_of_the_benchmark() -> None:
    (options,) = _synchronised("test")

    groups = {name for name in PROJECT["dependency-groups"] if not name.startswith("bench-")}
    assert set(re.findall(r"--group (\S+)", options)) | {"local"} == groups
    assert "--inexact" not in options
