"""What holds for every event, however it ends: the accounting identity, and the agreement of what reports the event.

`received = marked + duplicate + dead_lettered + retry` holds in the metrics, and the answer, the log lines, the metrics
and the spans of an invocation name the same outcome. Every suite checks it here, except for `mep/demo/checks.py`, which
ships and therefore imports no tests, and `tests/soak/reconciliation.py`, which reads the stores of a million events in
one pass and compares them with the plan of the soak, not with metrics.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.invocation import Invoked
from tests.support.telemetry import check_emf, emf_values

REASONS = "aws.dynamodb.throttling_reasons"
TRANSACTION = "DynamoDB.TransactWriteItems"

OUTCOME_METRICS: Mapping[str, str] = {
    "marked": "EventsMarked",
    "duplicate": "EventsDuplicate",
    "dead_lettered": "EventsDeadLettered",
    "retry": "EventsRetried",
}
"""The metric that counts each outcome."""

_LEVELS = {"marked": "INFO", "duplicate": "WARN", "dead_lettered": "ERROR", "retry": "ERROR"}
_ANNOTATIONS = (
    *("correlation_id", "asset_symbol", "earnings_date", "outcome", "error_category", "error_code"),
    *("function_version", "linked_trace_id"),
)


def count_outcomes(metric_lines: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Count the outcomes in metric lines, and check that they add up to the events received."""
    lines = [*metric_lines]
    sums = {outcome: int(sum(emf_values(lines, metric))) for outcome, metric in OUTCOME_METRICS.items()}
    assert sum(emf_values(lines, "EventsReceived")) == sum(sums.values())
    return +Counter(sums)


def check_invocation(invoked: Invoked) -> None:
    """Check the answer, log lines, metrics and spans of an invocation against each other and against the contract."""
    _check_answer(invoked)
    _check_logs(invoked)
    _check_metrics(invoked)
    _check_spans(invoked)
    _check_attempts(invoked)
    _check_throttling(invoked)


def _check_answer(invoked: Invoked) -> None:
    line = invoked.outcome_line
    if invoked.answer is None:
        assert line["outcome"] == "retry"
        assert type(invoked.error).__name__ == "EventNotProcessed"
        text = f"category={line['error_category']} correlation_id={line['correlation_id']} : {line['error_code']}"
        if line["error_category"] == "throttling" and "throttling_reasons" in line:
            text += f" ({'; '.join(line['throttling_reasons'])})"
        assert str(invoked.error) == text
        return
    assert line["outcome"] in {"marked", "duplicate", "dead_lettered"}
    assert invoked.error is None
    members = ("outcome", "correlation_id", "error_category", "error_code", "same_event", "violations")
    assert invoked.answer == {name: line[name] for name in members if name in line}


def _check_logs(invoked: Invoked) -> None:
    outcome = invoked.outcome_line
    assert outcome["level"] == _LEVELS[outcome["outcome"]]
    for line in invoked.logs:
        assert "logger" not in line, "a library has logged"
        assert line["request_id"] == invoked.request_id
        assert line["timestamp"].endswith("Z")
        for name in ("correlation_id", "trace_id", "span_id", "cold_start", "service", "environment"):
            assert line[name] == outcome[name], name
    phases = {"validate", "total"} if _timed_out(outcome) else {"validate", "flush", "total"}
    assert phases <= set(outcome["timings_ms"])
    assert ("backoff" in outcome["timings_ms"]) == bool(invoked.waits)


def _check_metrics(invoked: Invoked) -> None:
    outcome, metrics = invoked.outcome_line, invoked.metric_line
    check_emf(metrics)
    assert count_outcomes([metrics]) == {outcome["outcome"]: 1}
    category = outcome.get("error_category")
    dimensions = [directive["Dimensions"] for directive in metrics["_aws"]["CloudWatchMetrics"]]
    if category is None:
        assert dimensions == [[["Environment"]]]
        assert "Errors" not in metrics
    else:
        assert dimensions == [[["Environment"]], [["Environment", "ErrorCategory"]]]
        assert [metric["Name"] for metric in metrics["_aws"]["CloudWatchMetrics"][1]["Metrics"]] == ["Errors"]
        assert (metrics["Errors"], metrics["ErrorCategory"]) == (1, category)
    for name in ("correlation_id", "request_id"):
        assert metrics[name] == outcome[name]
    assert metrics.get("ColdStarts", 0) == outcome["cold_start"]
    assert metrics.get("CorrelationIdsReplaced", 0) == outcome.get("correlation_replaced", False)
    assert metrics.get("SecurityErrors", 0) == len(invoked.log_lines("access_denied"))


def _check_spans(invoked: Invoked) -> None:
    outcome, root = invoked.outcome_line, invoked.root
    header = dict(part.split("=") for part in invoked.trace_header.split(";"))
    assert root["parent_span_id"] == header["Parent"]
    assert (root["trace_id"], root["span_id"]) == (outcome["trace_id"], outcome["span_id"])
    category = outcome.get("error_category")
    assert (root["status"], root["status_message"]) == (("ERROR", category) if category else ("UNSET", ""))
    for name in ("outcome", "error_category"):
        assert root["attributes"].get(name) == outcome.get(name)
    for span in invoked.spans:
        _check_span(span, outcome)
        assert span["trace_id"] == "".join(header["Root"].split("-")[1:])
        assert span is root or (span["parent_span_id"], span["kind"]) == (root["span_id"], "CLIENT")
        needs_a_trace = "error_category" in outcome or outcome.get("same_event") is False
        assert span["sampled"] is (header["Sampled"] == "1" or needs_a_trace) is outcome["trace_sampled"]


def _check_span(span: dict[str, Any], outcome: dict[str, Any]) -> None:
    attributes = span["attributes"]
    assert attributes["correlation_id"] == outcome["correlation_id"]
    for name in ("asset_symbol", "earnings_date"):
        assert attributes.get(name) == outcome.get(name)
    assert attributes["aws.xray.annotations"] == [name for name in _ANNOTATIONS if name in attributes]
    assert (span["status"] == "ERROR") == ("error_category" in attributes) == ("error.type" in attributes)
    if span["status"] == "ERROR":
        assert span["status_message"] == attributes["error_category"]
    for event in span["events"]:
        if event["name"] == "exception":
            assert set(event["attributes"]) == {"exception.type", "exception.message"}
            assert event["attributes"]["exception.message"] == attributes["error_category"]


def _check_attempts(invoked: Invoked) -> None:
    outcome, metrics, spans = invoked.outcome_line, invoked.metric_line, invoked.calls(TRANSACTION)
    attempts = outcome["attempts"]
    assert attempts == len(spans) == metrics.get("Operations", 0) + metrics.get("Retries", 0)
    unfinished = attempts - len(_values(metrics.get("DynamoDBLatency")))
    assert 0 <= unfinished <= _timed_out(outcome)
    recovered = attempts > 1 and outcome["outcome"] == "marked"
    assert metrics.get("RetrySuccesses", 0) == recovered
    waits_ms = [round(seconds * 1000, 3) for seconds in invoked.waits]
    assert _values(metrics.get("RetryDelay")) == waits_ms
    members = ("attempt", "delay_ms", "error_category", "throttling_reasons")
    logged = [{name: line[name] for name in members if name in line} for line in invoked.log_lines("retry_backoff")]
    assert [line["delay_ms"] for line in logged] == waits_ms
    assert [event["attributes"] for event in invoked.root["events"] if event["name"] == "retry.backoff"] == logged


def _check_throttling(invoked: Invoked) -> None:
    outcome, spans = invoked.outcome_line, invoked.calls(TRANSACTION)
    reasons = outcome.get("throttling_reasons", [])
    assert invoked.root["attributes"].get(REASONS, []) == reasons
    assert [*dict.fromkeys(reason for span in spans for reason in span["attributes"].get(REASONS, []))] == reasons
    waits = [reason for line in invoked.log_lines("retry_backoff") for reason in line.get("throttling_reasons", [])]
    assert {*waits} <= {*reasons}


def _timed_out(outcome: Mapping[str, Any]) -> bool:
    """Return whether the watchdog reported the event, before its last call ended and before the flush."""
    return outcome.get("error_code") == "DeadlineExceeded"


def _values(metric: Any) -> list[float]:
    if metric is None:
        return []
    return metric if isinstance(metric, list) else [metric]
