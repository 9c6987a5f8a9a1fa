"""The packages depend on each other in one direction, and what is deployed on none of the others."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.environment import PROJECT_ROOT
from tests.support.tree import project_files

ALLOWED = {
    "handler": {"otel"},
    "otel": set(),
    "local": {"handler", "otel"},
    "ops": {"handler", "otel", "local", "deploy"},  # `mep dashboard` previews the dashboard that is deployed
    "deploy": {"handler", "otel", "local"},
    "soak": {"handler", "otel", "local", "ops"},
}
OURS = {*ALLOWED, "bench", "tests"}


def imported(source: str) -> Iterator[str]:
    """The top-level names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def upwards(root: Path, package: str) -> set[str]:
    """The imports of a package that go where they may not, as sentences."""
    modules = project_files(root, f"{package}/*.py")
    assert modules
    return {
        f"{module.relative_to(root)} imports {name}"
        for module in modules
        for name in imported(module.read_text())
        if name in OURS - ALLOWED[package] - {package}
    }


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    assert upwards(PROJECT_ROOT, package) == set()


def test_what_git_ignores_is_not_read_and_what_is_new_is(tmp_path: Path) -> None:
    """`make synth` puts CDK's own templates below `deploy/node_modules`, which are no Python yet."""
    files = {
        ".gitignore": (PROJECT_ROOT / ".gitignore").read_text(),
        "deploy/app.py": "import handler\n",
        "deploy/stack/new.py": "import tests\n",
        "deploy/node_modules/aws-cdk/lib/init-templates/stack.template.py": "class %name.PascalCased%Stack:\n",
        "deploy/__pycache__/app.py": "import bench\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for command in (["init", "--quiet"], ["add", "deploy/app.py"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)  # noqa: S603, S607

    assert upwards(tmp_path, "deploy") == {"deploy/stack/new.py imports tests"}


def test_an_import_anywhere_in_a_module_is_seen() -> None:
    source = "import json\ndef f():\n    if x:\n        from ops.dlq import y\nimport soak.run as z\nfrom . import w\n"
    assert list(imported(source)) == ["json", "soak", "ops"]
