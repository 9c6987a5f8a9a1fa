"""Commands that are printed start the program as the user has started it."""

import sys
from pathlib import Path

import pytest

from mep.program import program


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory that has the program."""
    directory = tmp_path / "my env" / "bin"
    directory.mkdir(parents=True)
    (directory / "mep").touch(0o755)
    return directory


def test_the_program_is_on_the_path(installed: Path) -> None:
    assert program([str(installed / "mep"), "trace"], {"PATH": str(installed)}) == "mep"


def test_the_program_is_elsewhere(installed: Path) -> None:
    assert program([str(installed / "mep")], {"PATH": "/nowhere"}) == f"'{installed}/mep'"


def test_another_program_of_the_name_is_on_the_path(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "mep").touch(0o755)
    assert program([str(installed / "mep")], {"PATH": str(tmp_path)}) == f"'{installed}/mep'"


def test_uv_runs_it(installed: Path) -> None:
    assert program([str(installed / "mep")], {"UV_RUN_RECURSION_DEPTH": "1", "PATH": str(installed)}) == "uv run mep"


def test_python_runs_the_module() -> None:
    assert program(["/a/mep/__main__.py"], {}) == f"{sys.executable} -m mep"
