"""The kinds of log lines: their messages are in one place, and no code depends on them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from handler.outcome import OUTCOME_TELEMETRY
from monitoring.model import Query
from monitoring.queries import QUERIES
from otel.event_types import MESSAGES, EventType
from tests.support.tree import project_files

ROOT = Path(__file__).parents[3]
TEXTS = (*MESSAGES.values(), *(outcome.message for outcome in OUTCOME_TELEMETRY.values()))
TABLES = (ROOT / "otel" / "event_types.py", ROOT / "handler" / "outcome.py")
GENERATED = ROOT / "docs" / "telemetry-reference.md"
SOURCES = [path for path in project_files(ROOT, "[a-z]*/*.py") if path not in TABLES and path != Path(__file__)]
SHIPPED = [path for path in SOURCES if path.relative_to(ROOT).parts[0] not in {"tests", "bench"}]

VERDICTS = {"the row is marked"}
"""Texts of `mep trace` that happen to be a part of a message."""


def test_values_and_messages_are_distinct() -> None:
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", kind) for kind in EventType)
    assert set(MESSAGES) == set(EventType) - {EventType.EVENT_OUTCOME, EventType.LIBRARY}
    assert len(set(TEXTS)) == len(TEXTS) == len(EventType) - 2 + 4


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the parts of a module: constants, comparisons and what chooses."""
    kinds = (ast.Constant, ast.Compare, ast.If, ast.IfExp, ast.Match)
    return tuple(node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds))


def constants(path: Path) -> Iterator[ast.Constant]:
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node


def text_of(node: ast.Constant) -> str:
    return node.value.decode("latin-1") if isinstance(node.value, bytes) else str(node.value)


def messages_in(path: Path) -> list[str]:
    """Return the messages that are part of a constant of a module."""
    every = "\0".join(map(text_of, constants(path)))
    return [text for text in TEXTS if text in every]


def test_no_message_is_repeated_elsewhere() -> None:
    repeated = [f"{path.relative_to(ROOT)}: {text}" for path in SOURCES for text in messages_in(path)]
    repeated += [
        f"{page.relative_to(ROOT)}: {text}"
        for page in sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md"))
        for text in TEXTS
        if page != GENERATED and text in " ".join(page.read_text(encoding="utf-8").split())
    ]

    assert len(SOURCES) > 300
    assert not repeated


def test_no_code_compares_with_a_message() -> None:
    compared = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {text_of(side)}"
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and isinstance(side.value, str | bytes)
        if " " in text_of(side).strip() and text_of(side) not in VERDICTS
        if any(text_of(side).strip() in text for text in TEXTS)
    ]

    assert not compared


def reads_message(node: ast.expr) -> bool:
    """Whether an expression is `line["message"]` or `line.get("message")`, or contains one."""
    return any(
        (isinstance(inner, ast.Subscript) and _is_message(inner.slice))
        or (
            isinstance(inner, ast.Call)
            and isinstance(inner.func, ast.Attribute)
            and inner.func.attr == "get"
            and bool(inner.args)
            and _is_message(inner.args[0])
        )
        for inner in ast.walk(node)
    )


def _is_message(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == "message"


def test_no_decision_depends_on_a_message() -> None:
    decisions = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SHIPPED
        for node in nodes(path)
        if (isinstance(node, ast.Compare) and reads_message(node))
        or (isinstance(node, ast.If | ast.IfExp) and reads_message(node.test))
        or (isinstance(node, ast.Match) and reads_message(node.subject))
    ]

    assert not decisions


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_no_saved_query_filters_by_message(query: Query) -> None:
    filters = [command for command in query.text.split("|") if command.split()[0] in {"filter", "parse", "stats"}]

    assert not [command for command in filters if re.search(r"\bmessage\b", command)]
