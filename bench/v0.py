"""V0: the plain function that a developer writes first, the baseline of `bench/run.py`.

It makes the same transaction as the real function and logs a JSON line with the standard library. It has no telemetry,
and botocore's defaults except for the number of attempts (one, as in the real function). It is neither slowed down nor
tuned.
"""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from bench.write import correlation_id, facts, is_duplicate, transaction

dynamodb: Any = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Mark the event's calendar row and add an audit entry in one transaction."""
    now = datetime.now(UTC).isoformat()
    outcome = "marked"
    try:
        dynamodb.transact_write_items(TransactItems=transaction(event, context, now))
    except ClientError as error:
        if not is_duplicate(dict(error.response)):
            raise
        outcome = "duplicate"
    line = {"timestamp": now, "level": "INFO", "message": "event processed", **facts(event, context, outcome)}
    print(json.dumps(line))
    return {"outcome": outcome, "correlation_id": correlation_id(event)}
