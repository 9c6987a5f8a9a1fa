"""Metrics: the EMF format, and the accounting."""

from typing import Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.outcome import INSTRUMENTATION
from otel.metrics import MAX_VALUES
from otel.record import EventRecord
from tests.support.telemetry import (
    check_emf,
    event_record,
    output_file,
)
from tests.unit.otel.metric_lines import (
    ENVIRONMENT_ONLY,
    OUTCOMES,
    WITH_CATEGORY,
    after_failures,
    emitted,
    new_metrics,
    records,
    total,
)


@given(st.lists(records(), min_size=1, max_size=6))
def test_every_line_follows_the_schema(sent: list[EventRecord]) -> None:
    documents = emitted(*sent)

    assert len(documents) == len(sent)
    for document in documents:
        check_emf(document)


@given(st.lists(records(), max_size=12))
def test_the_accounting_holds(sent: list[EventRecord]) -> None:
    documents = emitted(*sent)

    assert total(documents, "EventsReceived") == len(sent)
    assert sum(total(documents, name) for name in OUTCOMES.values()) == len(sent)
    for outcome, name in OUTCOMES.items():
        # An event without an outcome has timed out: Lambda will retry it.
        assert total(documents, name) == sum((record.outcome or "retry") == outcome for record in sent)
    assert total(documents, "Errors") == sum(record.error_category is not None for record in sent)
    assert total(documents, "Operations") == sum(record.operations for record in sent)
    assert total(documents, "Retries") == sum(record.retries for record in sent)
    assert total(documents, "RetrySuccesses") == sum(record.retry_successes for record in sent)
    assert total(documents, "SecurityErrors") == sum(record.access_denied_by is not None for record in sent)
    assert total(documents, "ColdStarts") == sum(record.cold_start for record in sent)
    assert total(documents, "IdempotencyViolations") == sum(record.same_event is False for record in sent)
    assert total(documents, "CorrelationIdsReplaced") == sum(record.correlation_replaced for record in sent)
    assert total(documents, "MetricsFailures") == 0


@given(records())
def test_dimensions_are_two_sets_without_ids(record: EventRecord) -> None:
    (document,) = emitted(record)

    directives = document["_aws"]["CloudWatchMetrics"]
    assert [each["Dimensions"] for each in directives] == (
        [ENVIRONMENT_ONLY, WITH_CATEGORY] if record.error_category else [ENVIRONMENT_ONLY]
    )
    assert {each["Namespace"] for each in directives} == {"MarkEarningsProcessed"}
    if record.error_category:
        assert document["ErrorCategory"] == record.error_category
        assert [metric["Name"] for metric in directives[1]["Metrics"]] == ["Errors"]
    assert document["Environment"] == "test"
    # A property, which leads from a spike in a graph to its events.
    assert (document["correlation_id"], document["request_id"]) == (record.correlation_id, record.request_id)


@given(records())
def test_only_documented_metrics_and_units(record: EventRecord) -> None:
    (document,) = emitted(record)

    definitions = [metric for each in document["_aws"]["CloudWatchMetrics"] for metric in each["Metrics"]]
    assert {metric["Name"]: metric["Unit"] for metric in definitions}.items() <= INSTRUMENTATION.metrics.items()
    properties = {"_aws", "Environment", "ErrorCategory", "correlation_id", "request_id", "function_version"}
    assert document.keys() - properties <= INSTRUMENTATION.metrics.keys()


def test_every_documented_metric_is_emitted_by_some_event() -> None:
    everything = event_record(
        cold_start=True, correlation_replaced=True, outcome="duplicate", same_event=False,
        access_denied_by="DynamoDB: AccessDeniedException", operations=1, retries=1, retry_successes=1,
        latencies_ms=[1.0], delays_ms=[2.0],
    )  # fmt: skip
    others = [
        event_record(outcome=outcome, error_category="network") for outcome in ("marked", "dead_lettered", "retry")
    ]
    documents = emitted(everything, *others)
    documents += after_failures(1)
    with output_file() as output:
        metrics = new_metrics(output.write)
        metrics.add_lost_spans(3)
        metrics.emit(event_record(outcome="marked"), processing_ms=1, memory_used_mb=1)
        metrics.emit(event_record(outcome="marked"), processing_ms=1, memory_used_mb=1)
        lost, none_lost = output.metrics()
    assert (lost["SpansLost"], "SpansLost" in none_lost) == (3, False)
    documents.append(lost)

    found = {
        metric["Name"]
        for each in documents
        for entry in each["_aws"]["CloudWatchMetrics"]
        for metric in entry["Metrics"]
    }
    assert found == set(INSTRUMENTATION.metrics)


def test_figures_are_in_their_units() -> None:
    record = event_record(cold_start=True, outcome="marked", latencies_ms=[10.5, 20.25], delays_ms=[1000.0])
    with output_file() as output:
        metrics = new_metrics(output.write, memory_mb=256)
        metrics.emit(record, processing_ms=1234.56789, memory_used_mb=64.04)
        (document,) = output.metrics()

    assert document["ProcessingTime"] == 1234.568
    assert document["MemoryUsed"] == 64.0
    assert document["MemoryUtilization"] == 25.0
    assert document["InitDuration"] == 321.988
    assert document["DynamoDBLatency"] == [10.5, 20.25]
    assert document["RetryDelay"] == [1000.0]


def test_init_duration_only_with_a_cold_start() -> None:
    cold, warm = emitted(event_record(cold_start=True, outcome="marked"), event_record(outcome="marked"))

    assert (cold["ColdStarts"], "InitDuration" in cold) == (1, True)
    assert not {"ColdStarts", "InitDuration"} & warm.keys()


def test_no_array_exceeds_the_limit() -> None:
    many = [float(number) for number in range(250)]
    (document,) = emitted(event_record(outcome="marked", latencies_ms=many, delays_ms=many))

    assert document["DynamoDBLatency"] == document["RetryDelay"] == many[:MAX_VALUES]
    check_emf(document)


@pytest.mark.parametrize(
    "damage",
    [
        {"_aws": {"Timestamp": 1}},
        {"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}},
        {"EventsMarked": "1"},
        {"EventsMarked": None},
        {"EventsMarked": [1] * 101},
        {"EventsMarked": []},
        {"Environment": 7},
        {"Environment": ""},
        {"padding": "x" * 300_000},
    ],
)
def test_the_check_finds_errors(damage: dict[str, Any]) -> None:
    (document,) = emitted(event_record(outcome="marked"))

    with pytest.raises(fastjsonschema.JsonSchemaException):
        check_emf({**document, **damage})
