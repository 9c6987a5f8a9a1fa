"""Checks of the files of a run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from handler.contract import AUDIT, AUDIT_ACTION, CALENDAR, PROCESSED
from mep.local.jsonl import read_jsonl
from mep.local.render import sum_metrics
from mep.local.summary import Summary
from otel.event_types import EventType


@dataclass(frozen=True, slots=True)
class Check:
    """A check and its result.

    Attributes:
        text: What is expected.
        failure: What differs from it; empty if the check passed.
    """

    text: str
    failure: str = ""


def check(text: str, actual: object, expected: object) -> Check:
    """Return the check that `actual` equals `expected`."""
    return Check(text, "" if actual == expected else f"expected {expected}, got {actual}")


def accounting(summary: Summary, lines: int) -> Check:
    """Return the check that every line of the input has exactly one outcome."""
    text = "every line is accounted for: received = marked + duplicate + dead_lettered + retry"
    if not summary.accounted:
        return Check(text, f"{summary.as_dict()}")
    return check(text, summary.received + summary.rejected, lines)


def rows_and_audit(out: Path, keys: Sequence[tuple[str, ...]]) -> Iterator[Check]:
    """Yield the checks that exactly the rows of `keys` are marked, each with its audit entry."""
    marked = {
        tuple(row[name] for name in CALENDAR.key): row for row in read_jsonl(out / "calendar.jsonl") if row[PROCESSED]
    }
    yield check("the right calendar rows are marked, and no others", sorted(marked), sorted(keys))
    # The same table has the audit entries of redrives and discards: `mep.dlq.audit`.
    entries = [entry for entry in read_jsonl(out / "audit.jsonl") if entry["action"] == AUDIT_ACTION]
    audit = Counter(entry[AUDIT.key[0]] for entry in entries)
    expected = Counter("#".join(key) for key in marked)
    yield check("each marked row has exactly one audit entry", audit, expected)
    by_key = {entry[AUDIT.key[0]]: entry for entry in entries}
    different = [
        key
        for key, row in marked.items()
        if by_key.get("#".join(key), {}).get("correlation_id") != row.get("correlation_id")
    ]
    yield check("row and audit entry have the same correlation ID", different, [])


def correlation(out: Path) -> Iterator[Check]:
    """Yield the check that every span has the correlation ID of the log lines of its trace."""
    logged: dict[str, set[str]] = {}
    for line in _outcome_lines(out):
        logged.setdefault(line["trace_id"], set()).add(line["correlation_id"])
    different = [
        f"{span['name']} {span['span_id']}"
        for span in read_jsonl(out / "spans.jsonl")
        if span["attributes"].get("correlation_id") not in logged.get(span["trace_id"], ())
    ]
    yield check("every span has the correlation ID of its event's log lines", different, [])


def metrics(out: Path, summary: Summary) -> Iterator[Check]:
    """Yield the check that the metrics equal the outcomes, for a run without retries."""
    sums = sum_metrics(read_jsonl(out / "metrics.jsonl"))
    expected = {
        "EventsReceived": summary.received,
        "EventsMarked": summary.marked,
        "EventsDuplicate": summary.duplicate,
        "EventsDeadLettered": summary.dead_lettered,
        "EventsRetried": summary.retry,
    }
    counted = {name: int(sums[name].total) if name in sums else 0 for name in expected}
    yield check("the metrics equal the outcomes", counted, expected)


def dead_letters(out: Path, events: Sequence[Any]) -> Iterator[Check]:
    """Yield the checks that the dead-letter queue contains `events`, unchanged, each with its correlation ID."""
    dead_letters = list(read_jsonl(out / "dlq.jsonl"))
    bodies = Counter(_canonical(orjson.loads(dead_letter["body"])) for dead_letter in dead_letters)
    yield check("the dead-letter queue contains the failed events, unchanged", bodies, Counter(map(_canonical, events)))
    without_id = [
        dead_letter["message_id"] for dead_letter in dead_letters if not dead_letter["attributes"].get("CORRELATION_ID")
    ]
    yield check("every dead letter has its correlation ID", without_id, [])


def platform_retries(out: Path, failed_event: Any) -> Iterator[Check]:
    """Yield the checks that two events had three attempts each, and Lambda's record contains `failed_event`."""
    attempts = Counter(line["request_id"] for line in _outcome_lines(out))
    yield check("each event had three attempts, with one request ID", sorted(attempts.values()), [3, 3])
    records = [orjson.loads(dead_letter["body"]) for dead_letter in read_jsonl(out / "dlq.jsonl")]
    contexts = [
        (record["requestContext"]["condition"], record["requestContext"]["approximateInvokeCount"])
        for record in records
    ]
    yield check("the queue contains Lambda's record of the failed event", contexts, [("RetriesExhausted", 3)])
    payloads = [record["requestPayload"] for record in records]
    yield check("the record contains the event, unchanged", payloads, [failed_event])
    metrics: Counter[str] = Counter()
    for point in read_jsonl(out / "platform.jsonl"):
        if point["namespace"] == "AWS/Lambda":
            metrics[point["metric"]] += point["sum"]
    expected = {"AsyncEventsReceived": 2, "Invocations": 6, "Errors": 5, "AsyncEventsDropped": 1}
    counted = {name: metrics[name] for name in expected}
    yield check("the platform's metrics count them", counted, expected)
    failures = metrics["DestinationDeliveryFailures"] + metrics["DeadLetterErrors"]
    yield check("no failure destination failed", failures, 0)


def backoff(out: Path, summary: Summary, throttles: int) -> Iterator[Check]:
    """Yield the checks that an event was throttled `throttles` times, marked its row, and has a trace with backoffs."""
    yield check("the throttled event marked its row", (summary.received, summary.marked), (1, 1))
    spans = list(read_jsonl(out / "spans.jsonl"))
    events = [event for span in spans for event in span["events"] if event["name"] == "retry.backoff"]
    waits = [(event["attributes"]["attempt"], event["attributes"]["error_category"]) for event in events]
    expected = [(attempt, "throttling") for attempt in range(1, throttles + 1)]
    yield check("its trace has each backoff with attempt and category", waits, expected)
    delays = [event["attributes"]["delay_ms"] for event in events]
    within_limits = all(1000 <= delay <= 30_000 for delay in delays)
    yield Check("the delays are 1 s to 30 s", "" if within_limits else f"got {delays} ms")
    attempts = [span for span in spans if span["name"] == "DynamoDB.TransactWriteItems"]
    yield check("each attempt has its own span", len(attempts), throttles + 1)
    sums = sum_metrics(read_jsonl(out / "metrics.jsonl"))
    counted = {name: int(sums[name].total) for name in ("Operations", "Retries", "RetrySuccesses") if name in sums}
    yield check("the metrics count them", counted, {"Operations": 1, "Retries": throttles, "RetrySuccesses": 1})


def _outcome_lines(out: Path) -> Iterator[dict[str, Any]]:
    lines = read_jsonl(out / "logs.jsonl")
    return (line for line in lines if line.get("event_type") == EventType.EVENT_OUTCOME)


def _canonical(event: Any) -> bytes:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
