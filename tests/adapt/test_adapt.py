"""The function of docs/adapt.md works: another event, another table, one module changed."""

import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator.environment import PROJECT_ROOT
from emulator.services.dynamodb import DynamoDBEndpoint
from tests.support.tree import project_files

HERE = Path(__file__).parent
REPLACED = {"contract.py": "handler/contract.py"}
ADDED = {
    "order_shipped.py": "tests/unit/handler/test_order_shipped.py",
    "order_stack.py": "tests/unit/deploy/test_order_stack.py",
}
MAX_LINES = 60


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the adaptation applied."""
    root = tmp_path_factory.mktemp("adapted")
    for path in project_files(PROJECT_ROOT, "*"):
        target = root / path.relative_to(PROJECT_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
        for cached in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):  # else everything is compiled again
            (target.parent / "__pycache__").mkdir(exist_ok=True)
            shutil.copy2(cached, target.parent / "__pycache__")
    for source, target_name in (REPLACED | ADDED).items():
        shutil.copy(HERE / source, root / target_name)
    return root


def run(tree: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in the adapted tree."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=300, check=False)


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def imported_from(tree: Path) -> Iterator[None]:
    """Import the deployment from the adapted tree, in this process: CDK takes seconds to start."""

    def is_of_the_tree(name: str) -> bool:
        return name.partition(".")[0] in {"deploy", "handler", "monitoring", "otel"} or "unit.deploy" in name

    before = {name: module for name, module in sys.modules.items() if is_of_the_tree(name)}
    for name in before:
        del sys.modules[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tree)
        try:
            yield
        finally:
            for name in list(filter(is_of_the_tree, sys.modules)):
                del sys.modules[name]
            sys.modules.update(before)


@pytest.mark.timeout(300)
def test_its_function_passes_its_tests(tree: Path) -> None:
    result = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", ADDED["order_shipped.py"])

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.timeout(300)
def test_its_stack_passes_its_tests(tree: Path) -> None:
    with imported_from(tree):
        module = runpy.run_path(str(tree / ADDED["order_stack.py"]))
        tests = [test for name, test in module.items() if name.startswith("test_")]
        for test in tests:
            test()

    assert len(tests) == 4


@pytest.mark.timeout(300)
def test_events_are_processed(tree: Path, dynamodb_endpoint: DynamoDBEndpoint, tmp_path: Path) -> None:
    """One order is marked, once; an order that does not exist is dead-lettered."""
    files = ("--calendar", HERE / "orders.csv", "--events", HERE / "events.jsonl", "--out", tmp_path)
    result = run(
        tree, "-c", "from mep.__main__ import main; main()", "local", *files, "--endpoint-url", dynamodb_endpoint.url
    )

    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [summary[name] for name in ("received", "marked", "duplicate", "dead_lettered", "retry")] == [3, 1, 1, 1, 0]
    marked, other = read_lines(tmp_path / "calendar.jsonl")
    assert (marked["order_id"], marked["is_shipped"], marked["total"]) == ("SO-000123", True, 19.9)
    assert marked["shipped_by_event"] in {"e-1", "e-2"}
    assert (other["order_id"], other["is_shipped"]) == ("SO-000124", False)
    (entry,) = read_lines(tmp_path / "audit.jsonl")
    assert (entry["order_key"], entry["action"]) == ("SO-000123", "mark_shipped")
    (dead_letter,) = read_lines(tmp_path / "dlq.jsonl")
    assert "no row for order SO-000999" in json.dumps(dead_letter)
    roots = [span for span in read_lines(tmp_path / "spans.jsonl") if span["name"] == "ShipOrders"]
    assert sorted(span["attributes"]["order_id"] for span in roots) == ["SO-000123", "SO-000123", "SO-000999"]


def test_it_is_one_module_of_sixty_lines() -> None:
    lines = (HERE / "contract.py").read_text().splitlines()

    assert len(REPLACED) == 1
    assert len(lines) <= MAX_LINES


def test_the_page_has_the_same_text() -> None:
    page = (PROJECT_ROOT / "docs" / "adapt.md").read_text()

    for name, language in {"contract.py": "python", "orders.csv": "csv"}.items():
        assert f"```{language}\n{(HERE / name).read_text()}```" in page
