"""Finds the events of an ID or of a row in the files of a `mep local` run."""

from collections.abc import Iterator
from pathlib import Path

from mep.dlq.sources import read_line
from mep.trace.asked import Asked
from mep.trace.hits import (
    Observation,
    observe_audit,
    observe_dead_letter,
    observe_line,
    observe_linked,
    observe_row,
)
from mep.trace.jsonl import values
from mep.trace.parsing import span_entries


def look_up_in_folder(asked: Asked, folder: Path, *, queue: bool) -> Iterator[Observation]:
    """Yield the records that have an ID or name a row.

    Args:
        asked: What a person asks for.
        folder: `--out` of `mep local`.
        queue: Whether to search the dead letters.
    """
    for text in dict.fromkeys((asked.id, *(key[0] for key in asked.keys))):
        if not text:
            continue
        for line in values(folder, "logs", text):
            yield from observe_line(line, asked)
        for item in values(folder, "audit", text):
            yield from observe_audit(item, asked)
        for row in values(folder, "calendar", text):
            yield from observe_row(row, asked)
        for span in values(folder, "spans", text):
            for entry in span_entries(span):
                yield from observe_linked(entry, asked)
    if queue:
        # The event in a dead letter may spell a symbol in another way.
        for line in values(folder, "dlq", ""):
            yield from observe_dead_letter(read_line(line), asked)
