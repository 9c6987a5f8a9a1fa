"""The tables of measurements in the documents are those of the recorded runs."""

import json
from typing import Any

import pytest

from bench.comparison import EXPORT_MODES, SHORT, compared, figures_of
from bench.measure import Memory
from bench.report import BLOCKS, SCALE, TABLE, block, documents, replaced
from bench.run import EVENTS
from bench.scale import V0
from bench.sentences import with_figures
from bench.variant_list import VARIANTS

RUN: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))


def test_the_tables_are_those_of_the_recorded_runs() -> None:
    """No figure is edited by hand."""
    for document, text in documents().items():
        assert document.read_text(encoding="utf-8") == text, "run .venv/bin/python bench/report.py"


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_is_in_its_document_once(name: str) -> None:
    document, _, _ = BLOCKS[name]
    assert "\nnew\n" in replaced(document.read_text(encoding="utf-8"), name, "new")


def test_the_recorded_run_is_whole() -> None:
    assert RUN["counter"]
    assert RUN["events"] == EVENTS
    assert set(RUN["figures"]) == {variant.name for variant in VARIANTS} >= {*SHORT, *EXPORT_MODES}


@pytest.mark.parametrize("mode", ["layer", "direct"])
def test_a_cold_start_costs_less_than_one_of_the_plain_function(mode: str) -> None:
    ratios = compared(figures_of(RUN))[mode]
    assert ratios["cold"] < 1
    assert ratios["peak_kb"] < 1


def test_events_at_scale_are_compared_at_one_and_at_several_workers() -> None:
    runs = json.loads(SCALE.read_text(encoding="utf-8"))
    both = {run["workers"] for run in runs if set(run["init_s"]) == {V0, "direct", "layer"} and run["events"] >= 10_000}
    assert both >= {1, 8}
    assert all(run["checkpoints"][-1]["events"] == run["events"] for run in runs)


def test_figures_in_sentences_are_those_of_the_run() -> None:
    memory = dict.fromkeys(Memory.__dataclass_fields__, 0) | {"peak_kb": 1, "peaks_kb": (1,), "modules_init": 99}
    counted = {"init": 100, "first": 10, "cold": 110, "warm": 10}
    run = {
        "figures": {
            "v0": {"instructions": counted, "memory": memory},
            "direct": {"instructions": counted | {"cold": 66, "warm": 9.04}, "memory": memory},
        }
    }
    sentence = "a ({direct.cold}) and {direct.warm}, modules: {v0.modules}"
    assert with_figures("So a (0.5)\nand 12, modules: 7.", sentence, run) == "So a (0.60)\nand 0.90, modules: 99."
    for text in ("", "a (0.5) and b, modules: 7", "a (0.5) and 12, modules: 7 " * 2):
        with pytest.raises(ValueError, match=r"times in the document: a \(\{direct\.cold\}\) and"):
            with_figures(text, sentence, run)


def test_a_document_without_its_block_is_refused() -> None:
    begin, end = block("short table")
    assert replaced(f"a\n{begin}\nold\n{end}\nb\n", "short table", "new") == f"a\n{begin}\nnew\n{end}\nb\n"
    assert replaced(f"{begin}\n{end}\n", "short table", "new") == f"{begin}\nnew\n{end}\n"
    for text in ("", f"{begin}\n{end}\n" * 2):
        with pytest.raises(ValueError, match="blocks begin with <!-- bench: short table -->"):
            replaced(text, "short table", "new")
    assert len({document for document, _, _ in BLOCKS.values()}) == 3
