"""Places the entries of an invocation in the order in which things happened.

Two times are not those of what they describe. An audit entry has the time at which its transaction was put together,
before the first attempt: it is placed at the commit. The runtime client's line has whole seconds: it is placed after
what the function wrote.
"""

from dataclasses import replace

from mep.trace.entries import Entry, time_text
from mep.trace.invocations import Invocation

_WRITE = "TransactWriteItems"


def place(invocation: Invocation) -> tuple[Entry, ...]:
    """Return the entries of an invocation in the order of time."""
    of_function = [entry for entry in (*invocation.spans, *invocation.lines) if entry.writer == "function"]
    over = max((entry.end for entry in of_function), default=0)
    placed = of_function + [_at_commit(entry, invocation) for entry in invocation.audit]
    for entry in (*invocation.spans, *invocation.lines):
        match entry.writer:
            case "function":
                continue
            case "runtime_client":
                exact = over if entry.has_whole_seconds and over else entry.at
                placed.append(replace(entry, at=max(over, min(exact, invocation.end))))
            case "lambda_report":
                placed.append(replace(entry, at=max(over, entry.at)))
            case _:
                placed.append(entry)
    return tuple(sorted(placed, key=_order))


def _order(entry: Entry) -> tuple[int, int, int]:
    """Return the sort key: at the same nanosecond, a span sorts before the entries inside it."""
    rank = {"lambda_start": 0, "runtime_client": 4, "lambda_report": 5}.get(entry.writer)
    if rank is None:
        rank = {"span": 1, "audit": 2}.get(entry.kind, 3)
    return entry.at, rank, -entry.end


def _at_commit(entry: Entry, invocation: Invocation) -> Entry:
    """Return an audit entry at the time of the commit; the time in the entry becomes an attribute."""
    at = max(_commit(invocation) or entry.at, entry.at)
    return replace(entry, at=at, attributes={**entry.attributes, "recorded_at": time_text(entry.at)})


def _commit(invocation: Invocation) -> int | None:
    """Return when the transaction was committed, nanoseconds since 1970; None if no entry has it."""
    writes = sorted((span for span in invocation.spans if _is_write(span)), key=lambda span: span.end)
    succeeded = [span for span in writes if span.severity != "error"]
    # Without an attempt that succeeded, its response was lost: an attempt that DynamoDB refused has a status.
    lost = [span for span in writes if "http.status_code" not in span.attributes]
    for span in (*reversed(succeeded), *lost):
        return span.end
    line = invocation.outcome_line
    if line is None:
        return invocation.root.end if invocation.root is not None else None
    timings = line.attributes.get("timings_ms")
    flush = timings.get("flush") if isinstance(timings, dict) else None
    return line.at - int(flush * 1e6) if isinstance(flush, int | float) else line.at


def _is_write(span: Entry) -> bool:
    operation = span.attributes.get("rpc.method", span.attributes.get("operation"))
    return operation == _WRITE or span.title.endswith(f".{_WRITE}")
