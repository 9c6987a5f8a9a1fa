"""The wheel in an empty environment: the function alone, and `mep` with the extra `operator`."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT, SAMPLES
from mep.errors import ExitStatus
from tests.support.tree import project_files

pytestmark = pytest.mark.timeout(300)  # the first run downloads the build backend

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAME, VERSION = PROJECT["project"]["name"], PROJECT["project"]["version"]
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
MAX_MB = 90

type Result = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment, and a directory outside the checkout.

    Attributes:
        root: The environment.
        directory: Where its commands run.
    """

    root: Path
    directory: Path

    def run(self, command: str, *arguments: object, **environ: str) -> Result:
        """Run a command of the environment; nothing of the checkout or of this test run is on its paths."""
        # Without Java, so that services start quickly: MiniStack is the DynamoDB.
        environ |= {"PATH": str(self.root / "bin"), "HOME": str(self.directory)}
        words = [str(self.root / "bin" / command), *map(str, arguments)]
        return subprocess.run(words, cwd=self.directory, env=environ, capture_output=True, text=True, check=False)

    def module(self, name: str) -> Path:
        """Return the file of an installed module."""
        return self.root / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages" / name

    def distributions(self) -> set[str]:
        """Return the names of the installed packages."""
        code = "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))"
        return set(self.run("python", "-c", code).stdout.split())


def uv(*arguments: object) -> str:
    program = shutil.which(os.environ.get("UV") or "uv") or str(PROJECT_ROOT / ".cache" / "uv" / "bin" / "uv")
    words = [program, *map(str, arguments)]
    result = subprocess.run(words, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", directory)
    (wheel,) = directory.glob("*.whl")
    return wheel


@dataclass(frozen=True, slots=True)
class Function:
    """What the wheel does without the extra.

    Attributes:
        environment: The environment, before the extra is installed.
        distributions: The packages in it.
        imported: The result of importing the function's packages.
        mep: The result of `mep --help`.
    """

    environment: Environment
    distributions: set[str]
    imported: Result
    mep: Result


def _install(environment: Environment, requirement: str) -> None:
    # The versions of the lock file: they are in uv's cache, and a new release of a library does not fail this test.
    lock = environment.root.with_suffix(".txt")
    options = ("--frozen", "--quiet", "--no-hashes", "--no-emit-project", "--extra", "operator")
    uv("export", *options, "--output-file", lock)
    python = environment.root / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", python, "--constraint", lock, requirement)
    _copy_bytecode(environment)


def _copy_bytecode(environment: Environment) -> None:
    """Spare the first commands from compiling the libraries. Python ignores the bytecode of another source."""
    here = Path(sysconfig.get_path("purelib"))
    for sources in {path.parent for path in environment.module("").rglob("*.py")}:
        compiled = here / sources.relative_to(environment.module("")) / "__pycache__"
        if compiled.is_dir():
            shutil.copytree(compiled, sources / "__pycache__", dirs_exist_ok=True)


@pytest.fixture(scope="module")
def function(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Function:
    environment = Environment(tmp_path_factory.mktemp("empty") / "venv", tmp_path_factory.mktemp("elsewhere"))
    uv("venv", "--quiet", "--python", sys.executable, environment.root)
    _install(environment, str(wheel))
    code = "import handler.app, sys; print(handler.app.__file__, 'otel.telemetry' in sys.modules)"
    settings = {
        "AWS_REGION": "us-east-1",
        "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/000000000000/queue",
    }
    imported = environment.run("python", "-c", code, **settings)
    return Function(environment, environment.distributions(), imported, environment.run("mep", "--help"))


@pytest.fixture(scope="module")
def installed(function: Function, wheel: Path) -> Environment:
    _install(function.environment, f"{wheel}[operator]")
    return function.environment


def test_wheel_has_every_file_of_its_packages_and_no_other(wheel: Path) -> None:
    expected = {path for package in PACKAGES for path in project_files(PROJECT_ROOT, f"{package}/*")}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    added = {"mep/explorer/runbook.md"}  # of docs/
    assert names == {str(path.relative_to(PROJECT_ROOT)) for path in expected} | added


def test_without_the_extra_the_function_imports(function: Function) -> None:
    assert function.imported.stderr == ""
    assert function.imported.stdout.split() == [str(function.environment.module("handler/app.py")), "True"]
    assert function.distributions & {"typer", "rich", "ministack", "awslambdaric"} == set()


def test_without_the_extra_mep_says_what_to_install(function: Function) -> None:
    line = f"mep: typer is not installed: install the extra `operator`, as {NAME}[operator]\n"

    assert (function.mep.returncode, function.mep.stdout, function.mep.stderr) == (ExitStatus.WRONG_USAGE, "", line)


def test_with_the_extra_the_environment_is_small(installed: Environment) -> None:
    files = [path for path in installed.root.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files if path.parent.name != "__pycache__")

    assert size / 1e6 < MAX_MB
    assert installed.distributions() & {"aws-cdk-lib", "pytest", "mypy", "hypothesis", "ruff"} == set()


def test_mep_shows_its_help_and_version(installed: Environment) -> None:
    helped, version = installed.run("mep", "--help"), installed.run("mep", "--version")

    assert (helped.returncode, helped.stderr) == (0, "")
    assert "Usage: mep" in helped.stdout
    assert (version.returncode, version.stdout, version.stderr) == (0, f"mep {VERSION}\n", "")


def test_mep_runs_events_and_shows_them(installed: Environment) -> None:
    for name in ("calendar.csv", "events.jsonl"):
        shutil.copy(SAMPLES / name, installed.directory)

    files = ("--calendar", "calendar.csv", "--events", "events.jsonl", "--out", "out")
    ran = installed.run("mep", "local", *files, "--workers", 1)
    traced = installed.run("mep", "trace", "demo-msft", "--run", "out")
    dashboard = installed.run("mep", "dashboard", "--run", "out", "--out", "dashboard.html")
    refused = installed.run("mep", "dlq", "list", "--queue-url", "no-url")

    assert (ran.returncode, traced.returncode, dashboard.returncode) == (0, 0, 0), (ran, traced, dashboard)
    assert "written to out" in ran.stdout
    assert "DynamoDB.TransactWriteItems" in traced.stdout
    assert "</html>" in (installed.directory / "dashboard.html").read_text(encoding="utf-8")
    assert refused.returncode == ExitStatus.WRONG_USAGE
    assert refused.stderr.startswith("mep: ")
