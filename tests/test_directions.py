"""The packages depend on each other in one direction, and what is deployed on none of the others."""

import ast
from collections.abc import Iterator

import pytest

from local.environment import PROJECT_ROOT

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


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    modules = sorted((PROJECT_ROOT / package).rglob("*.py"))
    assert modules
    wrong = {
        f"{module.relative_to(PROJECT_ROOT)} imports {name}"
        for module in modules
        for name in imported(module.read_text())
        if name in OURS - ALLOWED[package] - {package}
    }
    assert not wrong


def test_an_import_anywhere_in_a_module_is_seen() -> None:
    source = "import json\ndef f():\n    if x:\n        from ops.dlq import y\nimport soak.run as z\nfrom . import w\n"
    assert list(imported(source)) == ["json", "soak", "ops"]
