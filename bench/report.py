"""Write the recorded measurements into the documents, so that no figure in a table is edited by hand.

    python bench/report.py

`bench/table.py --record` writes `bench/table.json`, `bench/restore.py --record` writes `bench/restore.json`, and
`python -m tests.soak.scale --record` writes `bench/scale.json`: each runs this. A document has a block per table,
between two comments (`block`). `bench/sentences.py` has the sentences with figures.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # runs as a script, without an installed project

from bench.comparison import after_a_restore, comparison, export_modes, short
from bench.scale import scale
from bench.sentences import SENTENCES, with_figures
from bench.target import ROOT

TABLE = ROOT / "bench" / "table.json"
"""The recorded run of `bench/table.py`."""

RESTORE = ROOT / "bench" / "restore.json"
"""The recorded run of `bench/restore.py`."""

SCALE = ROOT / "bench" / "scale.json"
"""The recorded runs of `tests/soak/scale.py`, one for each number of workers and events."""

BLOCKS: Mapping[str, tuple[Path, Path, Callable[[Any], str]]] = {
    "whole table": (ROOT / "bench" / "README.md", TABLE, comparison),
    "short table": (ROOT / "README.md", TABLE, short),
    "export modes": (ROOT / "docs" / "telemetry.md", TABLE, export_modes),
    "first event after a restore": (ROOT / "bench" / "README.md", RESTORE, after_a_restore),
    "scale": (ROOT / "bench" / "README.md", SCALE, scale),
}
"""Each block: its document, its recorded run, and the text that is made of the run."""


def block(name: str) -> tuple[str, str]:
    """Return the lines before and after a block."""
    return f"<!-- bench: {name} -->", f"<!-- /bench: {name} -->"


def replaced(text: str, name: str, content: str) -> str:
    """Return a document with the content of a block replaced.

    Raises:
        ValueError: The document has no such block, or more than one.
    """
    begin, end = block(name)
    found = re.findall(f"{re.escape(begin)}\n(.*?){re.escape(end)}\n", text, re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{len(found)} blocks begin with {begin}")
    return text.replace(f"{begin}\n{found[0]}{end}\n", f"{begin}\n{content}\n{end}\n")


def documents() -> dict[Path, str]:
    """Return the documents with today's blocks: what is in the files, if nothing is out of date."""
    runs = {source: json.loads(source.read_text(encoding="utf-8")) for source in (TABLE, RESTORE, SCALE)}
    texts: dict[Path, str] = {}
    for name, sentences in SENTENCES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        texts[ROOT / name] = reduce(lambda text, sentence: with_figures(text, sentence, runs[TABLE]), sentences, text)
    for name, (document, source, render) in BLOCKS.items():
        text = texts.get(document) or document.read_text(encoding="utf-8")
        texts[document] = replaced(text, name, render(runs[source]))
    return texts


def write_documents() -> None:
    """Write every document whose blocks are out of date."""
    for document, text in documents().items():
        if text != document.read_text(encoding="utf-8"):
            document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_documents()
