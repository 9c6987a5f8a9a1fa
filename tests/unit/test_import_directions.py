"""The packages depend on each other in one direction, and what is deployed on none of the others."""

import ast
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
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
    "deploy": {"handler", "otel", "monitoring"},
    "bench": {"handler", "otel", "emulator"},
    "tests": {"handler", "otel", "monitoring", "emulator", "mep", "deploy", "bench"},
}
"""The packages that each package may import, besides itself."""

EXCEPTIONS: Mapping[str, set[str]] = {
    "deploy/compose/prepare.py": {"emulator"},  # a script in a container, which mounts what it needs
}
"""Modules that a file, or the files of a folder, may import in addition."""

ENGINE = ("audit", "destinations", "discard", "event", "metrics", "model", "redrive", "sources", "sqs_queue")
"""The modules of `mep.dlq` that work without a terminal: a scheduled function can use them."""


def imported(source: str) -> Iterator[str]:
    """The modules that a module imports, wherever in it; `from a import b` is `a.b`, which may be a name in `a`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, packages: set[str]) -> bool:
    """Whether a module is one of these, or in one of them."""
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def excepted(file: str) -> set[str]:
    """What a file may import in addition."""
    return {name for where, names in EXCEPTIONS.items() if file.startswith(where) for name in names}


def upwards(root: Path, package: str) -> set[str]:
    """The imports of a package that go where they may not, as sentences."""
    paths = project_files(root, f"{package}/*.py")
    assert paths
    forbidden = ALLOWED.keys() - ALLOWED[package] - {package}
    return {
        f"{file} imports {name}"
        for path in paths
        for file in [str(path.relative_to(root))]
        for name in imported(path.read_text(encoding="utf-8"))
        if within(name, forbidden) and not within(name, excepted(file))
    }


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    assert upwards(PROJECT_ROOT, package) == set()


@pytest.mark.parametrize("where", EXCEPTIONS)
def test_an_exception_is_needed(where: str) -> None:
    found = [name for path in project_files(PROJECT_ROOT, f"{where}*") if path.suffix == ".py" for name in _names(path)]
    assert {name for name in EXCEPTIONS[where] if any(within(each, {name}) for each in found)} == EXCEPTIONS[where]


def test_every_folder_with_code_is_held() -> None:
    assert {
        path.parent.name for path in project_files(PROJECT_ROOT, "*/__init__.py") if path.parents[1] == PROJECT_ROOT
    } == {*ALLOWED}


def test_what_git_ignores_is_not_read_and_what_is_new_is(tmp_path: Path) -> None:
    """`make synth` puts CDK's own templates below `deploy/node_modules`, which are no Python yet."""
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
        subprocess.run(["git", *command], cwd=tmp_path, check=True)  # noqa: S607

    assert upwards(tmp_path, "deploy") == {"deploy/stack/new.py imports tests.support.tree"}


def test_the_engine_of_dead_letters_needs_neither_a_terminal_nor_the_emulator() -> None:
    """Whatever it imports, directly or not."""
    waiting = [f"mep.dlq.{name}" for name in ENGINE]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _names(_module(name)) if _module(name) is not None else []
    assert not {name for name in seen if within(name, {"emulator", "mep.progress", "mep.terminal", "rich", "typer"})}


def test_an_import_anywhere_in_a_module_is_seen() -> None:
    source = (
        "import json\ndef f():\n    if x:\n        from mep.dlq import y\nimport tests.soak.run as z\nfrom . import w\n"
    )
    assert set(imported(source)) == {"json", "mep.dlq.y", "tests.soak.run"}


@cache
def _names(path: Path | None) -> tuple[str, ...]:
    return () if path is None else tuple(imported(path.read_text(encoding="utf-8")))


def _module(name: str) -> Path | None:
    """The file of a module, or of the module that a name is in."""
    for end in (name, name.rpartition(".")[0]):
        base = PROJECT_ROOT.joinpath(*end.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if end and path.is_file():
                return path
    return None
