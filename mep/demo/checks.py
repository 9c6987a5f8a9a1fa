"""Promises that a run must have kept, checked against the files it left behind."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from handler.contract import AUDIT, AUDIT_ACTION, CALENDAR, PROCESSED
from mep.local.summary import Summary
from mep.terminal import read_jsonl, sum_metrics
from otel.event_types import EventType


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was promised, and whether it was kept.

    Attributes:
        text: The promise.
        failure: What is not as promised; empty when it was kept.
    """

    text: str
    failure: str = ""


def check(text: str, found: object, expected: object) -> Check:
    """Return the promise that `found` equals `expected`."""
    return Check(text, "" if found == expected else f"expected {expected}, found {found}")


def accounting(summary: Summary, lines: int) -> Check:
    """Every line of the input ended in exactly one place."""
    text = "every line is accounted for: received = marked + duplicate + dead_lettered + retry"
    if not summary.accounted:
        return Check(text, f"{summary.as_dict()}")
    return check(text, summary.received + summary.rejected, lines)


def rows_and_audit(out: Path, keys: Sequence[tuple[str, ...]]) -> Iterator[Check]:
    """The rows of `keys`, and no others, are marked, each with one audit record that belongs to its marking."""
    marked = {
        tuple(row[name] for name in CALENDAR.key): row for row in read_jsonl(out / "calendar.jsonl") if row[PROCESSED]
    }
    yield check("the right calendar rows are marked, and no others", sorted(marked), sorted(keys))
    # What people do with dead letters is in the same table: `mep.dlq.audit`.
    records = [record for record in read_jsonl(out / "audit.jsonl") if record["action"] == AUDIT_ACTION]
    audit = Counter(record[AUDIT.key[0]] for record in records)
    expected = Counter("#".join(key) for key in marked)
    yield check("each marked row has exactly one audit record", audit, expected)
    by_key = {record[AUDIT.key[0]]: record for record in records}
    strangers = [
        key
        for key, row in marked.items()
        if by_key.get("#".join(key), {}).get("correlation_id") != row.get("correlation_id")
    ]
    yield check("row and audit record name the same correlation ID", strangers, [])


def correlation(out: Path) -> Iterator[Check]:
    """Every span carries the correlation ID of its trace, and the outcome lines of the log name the same."""
    logged: dict[str, set[str]] = {}
    for line in _outcome_lines(out):
        logged.setdefault(line["trace_id"], set()).add(line["correlation_id"])
    lonely = [
        f"{span['name']} {span['span_id']}"
        for span in read_jsonl(out / "spans.jsonl")
        if span["attributes"].get("correlation_id") not in logged.get(span["trace_id"], ())
    ]
    yield check("every span carries the correlation ID that its event's log lines have", lonely, [])


def metrics(out: Path, summary: Summary) -> Iterator[Check]:
    """The metrics tell the same numbers as the outcomes. Holds where no event needed a further try."""
    found = sum_metrics(read_jsonl(out / "metrics.jsonl"))
    expected = {
        "EventsReceived": summary.received,
        "EventsMarked": summary.marked,
        "EventsDuplicate": summary.duplicate,
        "EventsDeadLettered": summary.dead_lettered,
        "EventsRetried": summary.retry,
    }
    counted = {name: int(found[name].total) if name in found else 0 for name in expected}
    yield check("the metrics add up to the outcomes", counted, expected)


def dead_letters(out: Path, events: Sequence[Any]) -> Iterator[Check]:
    """The dead-letter queue holds `events`, unchanged, each with the ID to find it by."""
    dead_letters = list(read_jsonl(out / "dlq.jsonl"))
    bodies = Counter(_canonical(orjson.loads(dead_letter["body"])) for dead_letter in dead_letters)
    yield check("the dead-letter queue holds the failed events, unchanged", bodies, Counter(map(_canonical, events)))
    nameless = [
        dead_letter["message_id"] for dead_letter in dead_letters if not dead_letter["attributes"].get("CORRELATION_ID")
    ]
    yield check("every dead letter has its correlation ID", nameless, [])


def platform_retries(out: Path, given_up: Any) -> Iterator[Check]:
    """Two events took three tries each, which share a request ID; one was marked, `given_up` is in Lambda's record."""
    tries = Counter(line["request_id"] for line in _outcome_lines(out))
    yield check("each event was tried three times, with one request ID", sorted(tries.values()), [3, 3])
    records = [orjson.loads(dead_letter["body"]) for dead_letter in read_jsonl(out / "dlq.jsonl")]
    found = [
        (record["requestContext"]["condition"], record["requestContext"]["approximateInvokeCount"])
        for record in records
    ]
    yield check("the queue has Lambda's record of what it gave up", found, [("RetriesExhausted", 3)])
    yield check("the record has the event, unchanged", [record["requestPayload"] for record in records], [given_up])
    metrics: Counter[str] = Counter()
    for point in read_jsonl(out / "platform.jsonl"):
        if point["namespace"] == "AWS/Lambda":
            metrics[point["metric"]] += point["sum"]
    expected = {"AsyncEventsReceived": 2, "Invocations": 6, "Errors": 5, "AsyncEventsDropped": 1}
    counted = {name: metrics[name] for name in expected}
    yield check("the platform's metrics count them", counted, expected)
    failures = metrics["DestinationDeliveryFailures"] + metrics["DeadLetterErrors"]
    yield check("no net failed", failures, 0)


def _outcome_lines(out: Path) -> Iterator[dict[str, Any]]:
    lines = read_jsonl(out / "logs.jsonl")
    return (line for line in lines if line.get("event_type") == EventType.EVENT_OUTCOME)


def _canonical(event: Any) -> bytes:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


def backoff(out: Path, summary: Summary, throttles: int) -> Iterator[Check]:
    """One event was throttled `throttles` times and marked its row all the same, and its trace shows the waits."""
    yield check("the throttled event still marked its row", (summary.received, summary.marked), (1, 1))
    spans = list(read_jsonl(out / "spans.jsonl"))
    events = [event for span in spans for event in span["events"] if event["name"] == "retry.backoff"]
    waits = [(event["attributes"]["attempt"], event["attributes"]["error_category"]) for event in events]
    expected = [(attempt, "throttling") for attempt in range(1, throttles + 1)]
    yield check("its trace shows each backoff with attempt and category", waits, expected)
    delays = [event["attributes"]["delay_ms"] for event in events]
    inside = all(1000 <= delay <= 30_000 for delay in delays)
    yield Check("the delays are 1 s to 30 s", "" if inside else f"found {delays} ms")
    attempts = [span for span in spans if span["name"] == "DynamoDB.TransactWriteItems"]
    yield check("each attempt is a span of its own", len(attempts), throttles + 1)
    found = sum_metrics(read_jsonl(out / "metrics.jsonl"))
    counted = {name: int(found[name].total) for name in ("Operations", "Retries", "RetrySuccesses") if name in found}
    yield check("the metrics count them", counted, {"Operations": 1, "Retries": throttles, "RetrySuccesses": 1})
