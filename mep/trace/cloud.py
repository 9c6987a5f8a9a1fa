"""Searches AWS for the records of a correlation ID."""

from collections.abc import Iterable
from itertools import batched
from typing import Any

from handler.contract import CORRELATION_INDEX
from mep.trace.aws_sources import AwsSources, LogLine
from mep.trace.aws_spans import find_spans
from mep.trace.bus import envelope_ids
from mep.trace.cloud_bus import find_on_bus
from mep.trace.entries import Entry, SearchResult
from mep.trace.log_order import in_order
from mep.trace.lookup import missing_row_note, row_keys
from mep.trace.parsing import audit_entry, log_entry

_REQUESTS_PER_QUERY = 50


def find_in_aws(correlation_id: str, sources: AwsSources) -> SearchResult:
    """Search AWS.

    Args:
        correlation_id: A valid correlation ID: it is part of query texts.
        sources: Reads the sources.
    """
    audit = _audit(correlation_id, sources)
    entries = [*_log(correlation_id, {entry.request_id for entry in audit}, sources), *audit]
    spans, notes = find_spans(correlation_id, entries, sources)
    entries += spans
    rows, missing = _rows(entries, sources)
    on_bus, about_bus = find_on_bus({correlation_id, *envelope_ids(entries)}, sources, is_explained=bool(entries))
    entries += on_bus
    return SearchResult(tuple(entries), tuple(rows), (*notes, *missing, *about_bus), sources.take_gaps())


def find_requests_in_aws(request_ids: Iterable[str], sources: AwsSources) -> SearchResult:
    """Return what Lambda and its runtime client wrote about requests.

    Args:
        request_ids: Lambda's request IDs.
        sources: Reads the sources.
    """
    return SearchResult(tuple(_entries(_of_requests(set(request_ids), sources))), gaps=sources.take_gaps())


def _log(correlation_id: str, request_ids: set[str], sources: AwsSources) -> list[Entry]:
    """Return the function's log lines, and those of Lambda and its runtime client about the same invocations.

    Args:
        correlation_id: The correlation ID.
        request_ids: Further requests of the event.
        sources: Reads the sources.
    """
    # The runtime client's line about an exception of the function has the ID in its text only.
    condition = f'correlation_id = "{correlation_id}" or @message like "correlation_id={correlation_id} "'
    lines = [(line, at) for line, at in sources.log_lines(condition) if "_aws" not in line]
    known = {str(line.get("request_id") or line.get("requestId") or "") for line, _ in lines} | request_ids
    lines += [each for each in _of_requests(known, sources) if each not in lines]
    return _entries(lines)


def _of_requests(request_ids: set[str], sources: AwsSources) -> list[LogLine]:
    lines: list[LogLine] = []
    for batch in batched(sorted(request_ids - {""}), _REQUESTS_PER_QUERY, strict=False):
        ids = ", ".join(f'"{request}"' for request in batch)
        condition = f'type in ["platform.start", "platform.report"] and record.requestId in [{ids}]'
        # A line about another exception has no correlation ID at all.
        condition += f" or requestId in [{ids}]"
        lines += sources.log_lines(condition)
    return lines


def _entries(lines: Iterable[LogLine]) -> list[Entry]:
    return [entry for line, at in in_order(lines) if (entry := log_entry(line, at)) is not None]


def _audit(correlation_id: str, sources: AwsSources) -> list[Entry]:
    items = sources.audit_items({"correlation_id": correlation_id}, CORRELATION_INDEX)
    return [entry for item in items if (entry := audit_entry(item)) is not None]


def _rows(entries: Iterable[Entry], sources: AwsSources) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the calendar rows that entries name, and a note for each that does not exist."""
    rows, notes = [], []
    for key in row_keys(entries):
        gaps = len(sources.gaps)
        row = sources.calendar_row(key)
        rows += row
        if not row and len(sources.gaps) == gaps:
            notes.append(missing_row_note(key))
    return rows, notes
