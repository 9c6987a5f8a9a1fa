"""The spans of an event in AWS: in X-Ray's own store, or in the log group `aws/spans` of its Transaction Search.

With Transaction Search, X-Ray does not return traces by their ID: `BatchGetTraces` finds nothing.
"""

from collections.abc import Iterable, Sequence

from mep.errors import Reason
from mep.trace.aws_sources import AwsSources
from mep.trace.entries import Entry
from mep.trace.sources import SPAN_LOG_GROUP, Gap, Source, SpanStore
from mep.trace.xray import segment_entries, span_record_entries, xray_id
from otel.semconv import LINKED_TRACE_ID

_CORRELATION_ID = "correlation_id"
_SHOWN_TRACES = 3


def find_spans(correlation_id: str, known: Sequence[Entry], sources: AwsSources) -> tuple[list[Entry], list[str]]:
    """Return the spans of an event, and notes on what was asked and not found.

    Args:
        correlation_id: The correlation ID.
        known: The entries of log and audit table, which name the traces.
        sources: Reads the sources.
    """
    if sources.scope.spans is SpanStore.LOGS:
        return _in_logs(_CORRELATION_ID, correlation_id, sources), []
    trace_ids = {entry.trace_id for entry in known} - {""}
    entries = _in_xray(correlation_id, trace_ids, sources)
    missing = trace_ids - _traces(entries)
    if sources.scope.spans is SpanStore.XRAY or (entries and not missing):
        return entries, _not_found(missing, known, "X-Ray was asked", sources)
    refused = [gap for gap in sources.gaps if gap.source is Source.TRACES]
    more, is_off = _in_logs_if_on(_CORRELATION_ID, correlation_id, sources)
    have = {entry.span_id for entry in entries}
    entries += [entry for entry in more if entry.span_id not in have]
    missing -= _traces(more)
    if is_off:
        asked = f"X-Ray was asked, and Transaction Search is off (no log group {SPAN_LOG_GROUP})"
    else:
        asked = f"X-Ray and {SPAN_LOG_GROUP} were asked"
    notes = _not_found(missing, known, asked, sources)
    if more and not missing:
        sources.gaps = [gap for gap in sources.gaps if gap not in refused]
        notes.append(f"the spans are in {SPAN_LOG_GROUP}: {_why_not_xray(refused)}")
    return entries, notes


def find_linked(trace_id: str, sources: AwsSources) -> list[Entry]:
    """Return the function's spans that link to the trace of a producer, 32 hexadecimal digits."""
    entries: list[Entry] = []
    if sources.scope.spans is not SpanStore.LOGS:
        ids = sources.annotated_traces(LINKED_TRACE_ID, trace_id)
        entries = [entry for document in sources.segments(ids) for entry in segment_entries(document)]
    if not entries and sources.scope.spans is SpanStore.LOGS:
        entries = _in_logs(LINKED_TRACE_ID, trace_id, sources)
    elif not entries and sources.scope.spans is SpanStore.AUTO:
        entries, _ = _in_logs_if_on(LINKED_TRACE_ID, trace_id, sources)
    return [entry for entry in entries if entry.attributes.get(LINKED_TRACE_ID) == trace_id]


def _in_xray(correlation_id: str, trace_ids: set[str], sources: AwsSources) -> list[Entry]:
    """Return the spans of the given traces; without any, of the traces that have the ID as annotation."""
    ids = sorted(map(xray_id, trace_ids)) or sources.annotated_traces(_CORRELATION_ID, correlation_id)
    entries = [entry for document in sources.segments(ids) for entry in segment_entries(document)]
    # A trace may contain spans of other events. Lambda's own segments have no correlation ID.
    return [entry for entry in entries if entry.attributes.get(_CORRELATION_ID, correlation_id) == correlation_id]


def _in_logs(name: str, value: str, sources: AwsSources) -> list[Entry]:
    records = sources.span_records(f'attributes.{name} = "{value}"')
    return [entry for record, _ in records for entry in span_record_entries(record)]


def _in_logs_if_on(name: str, value: str, sources: AwsSources) -> tuple[list[Entry], bool]:
    """Return the spans in the log group, and whether there is none because Transaction Search is off."""
    before = len(sources.gaps)
    entries = _in_logs(name, value, sources)
    added = sources.gaps[before:]
    is_off = any(gap.problem.reason is Reason.NOT_FOUND for gap in added)
    if is_off:
        del sources.gaps[before:]
    return entries, is_off


def _traces(entries: Iterable[Entry]) -> set[str]:
    """Return the traces of which the function's spans are known; Lambda's own do not suffice."""
    return {entry.trace_id for entry in entries if entry.writer == "function"}


def _not_found(missing: set[str], known: Sequence[Entry], asked: str, sources: AwsSources) -> list[str]:
    """Return the note on traces without spans; none where a store could not be asked, which is a gap."""
    if not missing or any(gap.source is Source.TRACES for gap in sources.gaps):
        return []
    sampled = {
        entry.attributes["trace_sampled"]
        for entry in known
        if entry.trace_id in missing and "trace_sampled" in entry.attributes
    }
    reasons = {
        frozenset({False}): "according to the log, not sampled",
        frozenset({True}): "according to the log sampled, so not there yet, or lost",
    }
    reason = reasons.get(frozenset(sampled), "not sampled, not there yet, or lost")
    if sources.scope.spans is SpanStore.XRAY:
        reason += f"; or in {SPAN_LOG_GROUP}, with Transaction Search: --spans auto asks there, too"
    shown = ", ".join(sorted(missing)[:_SHOWN_TRACES])
    more = f" and {len(missing) - _SHOWN_TRACES} more" if len(missing) > _SHOWN_TRACES else ""
    return [f"no span of trace {shown}{more}: {asked}; {reason}"]


def _why_not_xray(refused: Sequence[Gap]) -> str:
    if refused:
        return f"X-Ray could not be asked ({refused[0].problem.text})"
    return "X-Ray does not have the trace, as with Transaction Search"
