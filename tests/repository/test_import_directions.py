"""Packages import each other in one direction, no modules import each other in a circle."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from emulator.environment import PROJECT_ROOT
from tests.support.tree import project_files

ALLOWED: Mapping[str, set[str]] = {
    "otel": set(),
    "handler": {"otel"},
    "monitoring": {"handler", "otel"},
    "emulator": {"handler", "otel"},
    "mep": {"handler", "otel", "monitoring", "emulator"},
    "redriver": {"handler", "otel", "monitoring", "mep"},
    "deploy": {"handler", "otel", "monitoring", "redriver"},
    "bench": {"handler", "otel", "emulator"},
    "tests": {"handler", "otel", "monitoring", "emulator", "mep", "redriver", "deploy", "bench"},
}
"""The packages that each package may import, besides itself."""

EXCEPTIONS: Mapping[str, set[str]] = {
    "deploy/compose/prepare.py": {"emulator"},  # runs in a container beside the function
}
"""Modules that a file, or the files of a folder, may import in addition."""

ENGINES: Mapping[str, tuple[str, ...]] = {
    "mep.dlq": (
        *("audit", "bus_rules", "destinations", "discard", "error_mapping", "json_output", "model"),
        *("queue", "redrive", "results", "returns", "selection", "sentences", "session", "sources", "summary"),
    ),
    "mep.calendar": ("check", "json_output", "model", "rules", "tables", "unmark"),
}
"""The modules of packages that work without a terminal: a scheduled function can use them."""

TERMINAL: Mapping[str, set[str]] = {
    "mep.dlq": {"commands", "discard_command", "options", "redrive_command", "render", "terminal"},
    "mep.calendar": {"command", "render", "unmark_command"},
}
"""The other modules of these packages."""

NOT_FOR_ENGINE = {"emulator", "mep.progress", "mep.terminal", "rich", "typer", "click"}
"""Modules that an engine must not import, directly or not."""

WITH_BOTO3 = {"boto3", "botocore", "certifi", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
"""boto3 and the packages that it needs."""

FOR_TERMINAL = {"mep.verify.command", "mep.verify.render"}
"""The modules of `mep.verify` that are not part of its engine."""


def imported(source: str) -> Iterator[str]:
    """Yield the names that a module imports, also inside functions; `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, packages: Iterable[str]) -> bool:
    """Whether a module is one of these packages, or in one of them."""
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def exceptions(file: str) -> set[str]:
    """Return the modules that a file may import in addition."""
    return {name for where, names in EXCEPTIONS.items() if file.startswith(where) for name in names}


def violations(root: Path, package: str) -> set[str]:
    """Return the imports of a package that the table does not allow, as sentences."""
    paths = project_files(root, f"{package}/*.py")
    assert paths
    forbidden = ALLOWED.keys() - ALLOWED[package] - {package}
    return {
        f"{file} imports {name}"
        for path in paths
        for file in [str(path.relative_to(root))]
        for name in imports_of(path)
        if is_within(name, forbidden) and not is_within(name, exceptions(file))
    }


@pytest.mark.parametrize("package", ALLOWED)
def test_package_imports_only_lower_packages(package: str) -> None:
    assert violations(PROJECT_ROOT, package) == set()


@pytest.mark.parametrize("where", EXCEPTIONS)
def test_exception_is_needed(where: str) -> None:
    paths = [path for path in project_files(PROJECT_ROOT, f"{where}*") if path.suffix == ".py"]
    names = {name for path in paths for name in imports_of(path)}
    unused = {allowed for allowed in EXCEPTIONS[where] if not any(is_within(name, {allowed}) for name in names)}
    assert unused == set()


def test_table_covers_every_package() -> None:
    packages = project_files(PROJECT_ROOT, "*/__init__.py")
    assert {path.parent.name for path in packages if path.parents[1] == PROJECT_ROOT} == {*ALLOWED}


def test_untracked_files_are_checked_and_ignored_files_are_not(tmp_path: Path) -> None:
    """`make synth` puts CDK's templates below `deploy/node_modules`; they are not valid Python."""
    files = {
        ".gitignore": (PROJECT_ROOT / ".gitignore").read_text(),
        "deploy/app.py": "import handler\n",
        "deploy/stack/new.py": "from tests.support import tree\n",
        "deploy/node_modules/aws-cdk/lib/init-templates/stack.template.py": "class %name.PascalCased%Stack:\n",
        "deploy/__pycache__/app.py": "import bench\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for command in (["init", "--quiet"], ["add", "deploy/app.py"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)  # noqa: S607 - git of the PATH

    assert violations(tmp_path, "deploy") == {"deploy/stack/new.py imports tests.support.tree"}


def test_imports_inside_functions_are_seen() -> None:
    source = (
        "import json\ndef f():\n    if x:\n        from mep.dlq import y\nimport tests.soak.run as z\nfrom . import w\n"
    )
    assert set(imported(source)) == {"json", "mep.dlq.y", "tests.soak.run"}


@pytest.mark.parametrize("package", ENGINES)
def test_every_other_module_beside_an_engine_is_for_the_terminal(package: str) -> None:
    modules = {path.stem for path in project_files(PROJECT_ROOT, f"{package.replace('.', '/')}/*.py")} - {"__init__"}
    assert modules - {*ENGINES[package]} == TERMINAL[package]


def test_engines_import_neither_terminal_nor_emulator() -> None:
    """The import statements decide, those inside functions included."""
    names = reached(engine_modules())
    assert not {name for name in names if is_within(name, NOT_FOR_ENGINE)}


def test_scheduled_function_loads_neither_terminal_nor_packages_beside_boto3() -> None:
    """Lambda's runtime has boto3 and the packages that it needs, and no others: no SDK of OpenTelemetry, no orjson."""
    modules = [module_name(path) for path in project_files(PROJECT_ROOT, "redriver/*.py")]
    names = reached(modules)
    assert not {name for name in names if is_within(name, NOT_FOR_ENGINE)}
    command = [sys.executable, "-c", f"import sys, {', '.join(modules)}; print(*sys.modules)"]
    loaded = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert set(modules) <= set(loaded)
    ours = {*ALLOWED["redriver"], "redriver"}
    installed = {name for name in packages_distributions() if name in {each.partition(".")[0] for each in loaded}}
    assert installed - ours <= WITH_BOTO3


def test_verification_engine_does_not_import_the_terminal() -> None:
    modules = {module_name(path) for path in project_files(PROJECT_ROOT, "mep/verify/*.py")}
    assert modules > FOR_TERMINAL
    names = reached(modules - FOR_TERMINAL)
    assert not {name for name in names if is_within(name, NOT_FOR_ENGINE - {"emulator"})}


def test_engines_load_neither_terminal_nor_emulator() -> None:
    """A library may import them, too: a process that has imported the engines has loaded none of them."""
    command = [sys.executable, "-c", f"import sys, {', '.join(engine_modules())}; print(*sys.modules)"]
    loaded = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {"mep.dlq.redrive", "mep.calendar.check"} <= {*loaded}
    assert not {name for name in loaded if is_within(name, NOT_FOR_ENGINE)}


def engine_modules() -> list[str]:
    """Return the modules of all engines."""
    return [f"{package}.{name}" for package, names in ENGINES.items() for name in names]


@pytest.mark.parametrize(
    ("package", "unwanted"), [("monitoring", {"aws_cdk"}), ("emulator", {"mep", "pytest", "tests", "rich", "typer"})]
)
def test_importing_a_package_loads_none_of(package: str, unwanted: set[str]) -> None:
    modules = [module_name(path) for path in project_files(PROJECT_ROOT, f"{package}/*.py")]
    code = f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert set(modules) <= set(loaded)
    assert {name.partition(".")[0] for name in loaded} & unwanted == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and for type checkers count, too: they delay a circle and do not remove it."""
    graph = {
        module_name(path): {
            module_name(target)
            for name in imports_of(path)
            if (target := module_file(name)) is not None and target != path
        }
        for package in ALLOWED
        for path in project_files(PROJECT_ROOT, f"{package}/*.py")
    }
    assert cycles(graph) == set()


def test_cycles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert cycles(graph) == {frozenset("abc"), frozenset("de")}
    assert cycles({"a": {"b"}, "b": set()}) == set()


def cycles(graph: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """Return circles of modules, one for each way in which they hang together."""
    remaining = {name: set(targets) for name, targets in graph.items()}
    found: set[frozenset[str]] = set()
    while True:
        try:
            TopologicalSorter(remaining).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            found.add(frozenset(circle))
            # The sorter reports a circle against the direction of the imports.
            remaining[circle[1]].discard(circle[0])
        else:
            return found


def reached(modules: Iterable[str]) -> set[str]:
    """Return the names that modules import, directly or not."""
    waiting = list(modules)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += imports_of(module_file(name))
    return seen


@cache
def imports_of(path: Path | None) -> tuple[str, ...]:
    """Return the names that a file imports."""
    return () if path is None else tuple(imported(path.read_text(encoding="utf-8")))


def module_name(path: Path) -> str:
    """Return the name of a file as a module."""
    parts = path.relative_to(PROJECT_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_file(name: str) -> Path | None:
    """Return the file of a module, or of the module that defines a name; None for modules of others."""
    for candidate in (name, name.rpartition(".")[0]):
        base = PROJECT_ROOT.joinpath(*candidate.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if candidate and path.is_file():
                return path
    return None
