"""V0's write with the AWS X-Ray SDK for Python: botocore patched, and a subsegment for the work of the handler.

As in https://docs.aws.amazon.com/lambda/latest/dg/python-tracing.html: `patch` before the client is created, and
Lambda's segment as the parent. The SDK has spans only, so the log line is V0's.
"""

from typing import Any

import boto3
from aws_xray_sdk.core import patch, xray_recorder
from botocore.config import Config

from bench.variants.plain_work import mark
from bench.write import correlation_id

patch(("botocore",))
dynamodb: Any = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Mark the event's calendar row and add an audit entry in one transaction."""
    with xray_recorder.in_subsegment("process_event") as subsegment:
        subsegment.put_annotation("correlation_id", correlation_id(event))
        outcome = mark(dynamodb, event, context)
        subsegment.put_annotation("outcome", outcome)
    return {"outcome": outcome, "correlation_id": correlation_id(event)}
