"""The tables of measurements in the documents are those of the recorded runs."""

import json

import pytest

from bench.report import BLOCKS, SCALE, block, documents, replaced
from bench.scale import V0


def test_the_tables_are_those_of_the_recorded_runs() -> None:
    """No figure is edited by hand."""
    for document, text in documents().items():
        assert document.read_text(encoding="utf-8") == text, "run .venv/bin/python bench/report.py"


def test_events_at_scale_are_compared_at_one_and_at_several_workers() -> None:
    runs = json.loads(SCALE.read_text(encoding="utf-8"))
    both = {run["workers"] for run in runs if set(run["init_s"]) == {V0, "direct", "layer"} and run["events"] >= 10_000}
    assert both >= {1, 8}
    assert all(run["checkpoints"][-1]["events"] == run["events"] for run in runs)


def test_a_document_without_its_block_is_refused() -> None:
    begin, end = block("short table")
    assert replaced(f"a\n{begin}\nold\n{end}\nb\n", "short table", "new") == f"a\n{begin}\nnew\n{end}\nb\n"
    assert replaced(f"{begin}\n{end}\n", "short table", "new") == f"{begin}\nnew\n{end}\n"
    for text in ("", f"{begin}\n{end}\n" * 2):
        with pytest.raises(ValueError, match="blocks begin with <!-- bench: short table -->"):
            replaced(text, "short table", "new")
    assert len({document for document, _, _ in BLOCKS.values()}) == 3
