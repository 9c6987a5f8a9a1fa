"""V0's write with Powertools for AWS Lambda: Logger, Metrics and Tracer, as in its documentation."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from botocore.exceptions import ClientError

from bench.write import correlation_id, facts, is_duplicate, transaction

SERVICE = "mark-earnings-processed"

logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)  # patches boto3 before the client is created
metrics = Metrics(namespace="MarkEarningsProcessed", service=SERVICE)
dynamodb: Any = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))

Handler = Callable[[dict[str, Any], Any], dict[str, str]]


def process(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Mark the event's calendar row and add an audit entry in one transaction."""
    tracer.put_annotation("correlation_id", correlation_id(event))
    now = datetime.now(UTC).isoformat()
    outcome = "marked"
    try:
        dynamodb.transact_write_items(TransactItems=transaction(event, context, now))
    except ClientError as error:
        if not is_duplicate(dict(error.response)):
            raise
        outcome = "duplicate"
    tracer.put_annotation("outcome", outcome)
    metrics.add_metric("EventsReceived", MetricUnit.Count, 1)
    metrics.add_metric("EventsMarked" if outcome == "marked" else "EventsDuplicate", MetricUnit.Count, 1)
    logger.info("event processed", extra=facts(event, context, outcome))
    return {"outcome": outcome, "correlation_id": correlation_id(event)}


def observed(handler: Handler) -> Handler:
    """Return the handler with Powertools' decorators."""
    traced = tracer.capture_lambda_handler(handler)
    counted = metrics.log_metrics(traced, capture_cold_start_metric=True)
    logged: Handler = logger.inject_lambda_context(counted, correlation_id_path="detail.correlation_id")
    return logged


lambda_handler = observed(process)
