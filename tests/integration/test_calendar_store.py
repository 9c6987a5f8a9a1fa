"""One event for one row, end to end: the row, the audit entry, the trace, the log line, the metrics, the answer."""

from typing import Any

import pytest

from handler.outcome import OUTCOME_TELEMETRY
from tests.integration.conftest import NewHarness
from tests.integration.harness import OTHERS_ATTRIBUTES, Harness
from tests.support.clock import FUNCTION_ARN, INVOKED_ARN
from tests.support.events import DATE, unique_event
from tests.support.invariants import TRANSACTION
from tests.support.strategies import ABSENT_VALUES, MARKET_SYMBOLS

TRACE_HEADER = "Root=1-6880d1f0-0123456789abcdef01234567;Parent=1122334455667788;Sampled=1"
TRACE_ID = "6880d1f00123456789abcdef01234567"


def test_the_row_gets_five_attributes_and_keeps_the_others(harness: Harness) -> None:
    event = harness.event_for_a_row()

    invoked = harness(event)

    line = invoked.outcome_line
    row = harness.row(event)
    assert row is not None
    now = row["updated_at"]
    assert row == {
        "asset_symbol": event["detail"]["asset_symbol"],
        "earnings_date": DATE,
        **OTHERS_ATTRIBUTES,
        "is_processed": True,
        "processed_at": now,
        "processed_by_event": event["detail"]["event_id"],
        "correlation_id": event["detail"]["correlation_id"],
        "updated_at": now,
    }
    assert now.endswith("Z")
    assert now <= line["timestamp"]
    assert invoked.answer == {"outcome": "marked", "correlation_id": event["detail"]["correlation_id"]}


def test_the_audit_entry(new_harness: NewHarness) -> None:
    harness = new_harness(AWS_LAMBDA_FUNCTION_VERSION="42")
    event = harness.event_for_a_row()

    invoked = harness(event, trace_header=TRACE_HEADER)

    row = harness.row(event)
    assert row is not None
    assert harness.audit(event) == [
        {
            "earnings_key": f"{event['detail']['asset_symbol']}#{DATE}",
            "entry_id": f"{row['updated_at']}#{event['detail']['event_id']}",
            "event_id": event["detail"]["event_id"],
            "action": "mark_processed",
            "previous_state": "unprocessed",
            "correlation_id": event["detail"]["correlation_id"],
            "request_id": invoked.request_id,
            "trace_id": TRACE_ID,
            "function_version": "42",
            "recorded_at": row["updated_at"],
        }
    ]
    index = harness.services.tables.client.query(
        TableName=harness.services.tables.audit_table,
        IndexName="correlation_id-index",
        KeyConditionExpression="correlation_id = :id",
        ExpressionAttributeValues={":id": {"S": event["detail"]["correlation_id"]}},
    )
    assert index["Count"] == 1


def test_the_trace(new_harness: NewHarness) -> None:
    harness = new_harness(OTEL_SERVICE_NAME="earnings", AWS_LAMBDA_FUNCTION_NAME="mark", ENVIRONMENT="staging")
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = harness.event_for_a_row({"traceparent": traceparent})

    invoked = harness(event, trace_header=TRACE_HEADER)

    call, root = invoked.spans
    assert (root["name"], root["trace_id"], root["parent_span_id"]) == ("mark", TRACE_ID, "1122334455667788")
    assert [(link["trace_id"], link["span_id"]) for link in root["links"]] == [tuple(traceparent.split("-")[1:3])]
    identity = {
        "correlation_id": event["detail"]["correlation_id"],
        "asset_symbol": event["detail"]["asset_symbol"],
        "earnings_date": DATE,
    }
    assert root["attributes"] == {
        "faas.trigger": "pubsub",
        "faas.invocation_id": invoked.request_id,
        "faas.coldstart": True,
        "cloud.account.id": "111122223333",
        "aws.account_id": "111122223333",
        "cloud.resource_id": FUNCTION_ARN,
        "aws.lambda.invoked_arn": INVOKED_ARN,
        **identity,
        "outcome": "marked",
        "attempts": 1,
        "function_version": "$LATEST",
        "linked_trace_id": traceparent.split("-")[1],
        "aws.xray.annotations": [*identity, "outcome", "function_version", "linked_trace_id"],
    }
    assert root["resource"]["service.name"] == "earnings"
    assert root["resource"]["deployment.environment.name"] == "staging"
    assert (call["name"], call["parent_span_id"], call["status"]) == (TRANSACTION, root["span_id"], "UNSET")
    tables = harness.services.tables
    assert call["attributes"]["aws.dynamodb.table_names"] == [tables.calendar_table, tables.audit_table]
    assert call["attributes"].items() >= identity.items()
    assert root["start_time_unix_nano"] <= call["start_time_unix_nano"]
    assert call["end_time_unix_nano"] <= root["end_time_unix_nano"]


def test_an_unsampled_trace_goes_to_the_agent_as_such(harness: Harness) -> None:
    invoked = harness(harness.event_for_a_row(), trace_header=TRACE_HEADER.replace("Sampled=1", "Sampled=0"))

    (datagram,) = invoked.datagrams
    assert datagram.split(b"\n")[1].startswith(b"T1U")
    assert len(invoked.spans) == 2


def test_one_log_line_and_one_metric_line(new_harness: NewHarness) -> None:
    harness = new_harness(OTEL_SERVICE_NAME="earnings", ENVIRONMENT="staging")
    event = harness.event_for_a_row()

    invoked = harness(event)

    assert len(invoked.output.splitlines()) == 2
    (line,) = invoked.logs
    timings = line.pop("timings_ms")
    assert set(timings) == {"validate", "write", "flush", "total"}
    for name in ("timestamp", "trace_id", "span_id"):
        assert line.pop(name)
    assert line == {
        "level": "INFO",
        "event_type": "event_outcome",
        "message": OUTCOME_TELEMETRY["marked"].message,
        "service": "earnings",
        "environment": "staging",
        "function_version": "$LATEST",
        "trace_sampled": True,
        "correlation_id": event["detail"]["correlation_id"],
        "event_id": event["detail"]["event_id"],
        "envelope_id": event["id"],
        "request_id": invoked.request_id,
        "cold_start": True,
        "outcome": "marked",
        "asset_symbol": event["detail"]["asset_symbol"],
        "earnings_date": DATE,
        "attempts": 1,
    }
    metrics = invoked.metric_line
    measured = ("ProcessingTime", "MemoryUsed", "MemoryUtilization", "InitDuration")
    assert all(metrics.pop(name) > 0 for name in measured)
    (latency,) = [metrics.pop("DynamoDBLatency")]
    assert len(latency) == 1
    assert latency[0] <= timings["total"]
    del metrics["_aws"]
    assert metrics == {
        "Environment": "staging",
        "correlation_id": event["detail"]["correlation_id"],
        "request_id": invoked.request_id,
        "function_version": "$LATEST",
        "EventsReceived": 1,
        "EventsMarked": 1,
        "Operations": 1,
        "ColdStarts": 1,
    }


def test_the_second_event_of_a_sandbox_is_warm(harness: Harness) -> None:
    first, second = harness(harness.event_for_a_row()), harness(harness.event_for_a_row())

    assert (first.metric_line.get("ColdStarts"), second.metric_line.get("ColdStarts")) == (1, None)
    assert "InitDuration" not in second.metric_line
    assert second.root["attributes"]["faas.coldstart"] is False


def test_producers_may_write_camel_case(harness: Harness) -> None:
    event = harness.event_for_a_row({"processed_at": "2025-07-31T16:05:00-04:00"})
    expected = dict(event["detail"])
    event["detail"] = {
        "assetSymbol": f" {expected['asset_symbol'].lower()}\n",
        "earningsDate": expected["earnings_date"],
        "eventId": expected["event_id"],
        "correlationId": expected["correlation_id"],
        "earningsId": "e-1",
        "processedAt": expected["processed_at"],
    }

    invoked = harness(event)

    row = harness.row({"detail": expected})
    assert row is not None
    assert row["is_processed"] is True
    assert row["processed_by_event"] == expected["event_id"]
    assert row["processed_at"] == "2025-07-31T20:05:00.000000Z"
    assert invoked.answer == {"outcome": "marked", "correlation_id": expected["correlation_id"]}


@pytest.mark.parametrize("absent", ABSENT_VALUES)
def test_a_producer_may_send_every_optional_field_empty(harness: Harness, absent: str | None) -> None:
    """As encoders of Go and protobuf do, in one spelling or the other."""
    names = ("event_id", "correlation_id", "earnings_id", "processed_at", "traceparent")
    camel = ("eventId", "correlationId", "earningsId", "processedAt", "traceParent")
    event = harness.event_for_a_row(dict.fromkeys((*names, *camel), absent))

    invoked = harness(event)

    row = harness.row(event)
    assert row is not None
    assert invoked.answer == {"outcome": "marked", "correlation_id": event["id"]}
    assert (row["processed_by_event"], row["processed_at"]) == (event["id"], row["updated_at"])
    assert "correlation_replaced" not in invoked.outcome_line
    assert invoked.root["links"] == []


@pytest.mark.parametrize("absent", ABSENT_VALUES)
def test_a_trace_to_link_to_may_be_under_the_other_spelling(harness: Harness, absent: str | None) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = harness.event_for_a_row({"traceparent": absent, "traceParent": parent})

    (link,) = harness(event).root["links"]

    assert link["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


def test_the_producers_time_is_not_ours(harness: Harness) -> None:
    event = harness.event_for_a_row({"processed_at": "2020-01-02T03:04:05.6789+01:00"})

    harness(event)

    row = harness.row(event)
    assert row is not None
    assert row["processed_at"] == "2020-01-02T02:04:05.678900Z"
    assert row["updated_at"] > "2025"
    (entry,) = harness.audit(event)
    assert entry["recorded_at"] == row["updated_at"]


@pytest.mark.parametrize(
    ("detail", "correlation_id", "event_id", "replaced"),
    [
        ({}, "correlation", "event", False),
        ({"correlation_id": None}, "event", "event", False),
        ({"correlation_id": ""}, "event", "event", False),
        ({"correlation_id": "", "event_id": ""}, "envelope", "envelope", False),
        ({"correlation_id": "   "}, None, "event", True),
        ({"correlation_id": None, "event_id": None}, "envelope", "envelope", False),
        ({"correlation_id": "not an ID"}, None, "event", True),
        ({"correlation_id": "x" * 129}, None, "event", True),
    ],
)
def test_the_ids_an_event_goes_by(
    harness: Harness, detail: dict[str, Any], correlation_id: str | None, event_id: str, *, replaced: bool
) -> None:
    event = harness.event_for_a_row(detail)
    number = event["id"].removeprefix("envelope-")

    invoked = harness(event)

    row = harness.row(event)
    assert row is not None
    assert invoked.answer is not None
    assert row["correlation_id"] == invoked.answer["correlation_id"]
    assert row["processed_by_event"] == f"{event_id}-{number}"
    assert invoked.outcome_line["event_id"] == f"{event_id}-{number}"
    assert invoked.outcome_line.get("correlation_replaced", False) is replaced
    if correlation_id is None:
        assert event["detail"]["correlation_id"] not in invoked.output.decode()
        assert invoked.answer["correlation_id"] == invoked.request_id
    else:
        assert invoked.answer["correlation_id"] == f"{correlation_id}-{number}"


def test_what_market_data_feeds_call_companies(harness: Harness) -> None:
    for symbol in MARKET_SYMBOLS:
        harness.services.tables.put_row(symbol, DATE)
        event = unique_event({"asset_symbol": symbol.lower()})

        invoked = harness(event)

        row = harness.services.tables.row(symbol, DATE)
        assert row is not None
        assert row["is_processed"] is True
        (entry,) = harness.services.tables.audit(symbol, DATE)
        assert entry["event_id"] == event["detail"]["event_id"]
        assert invoked.outcome_line["asset_symbol"] == symbol
        assert {span["attributes"]["asset_symbol"] for span in invoked.spans} == {symbol}
