"""V0's work for the variants that add spans to it and nothing else: the write, and the log line."""

import json
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from bench.write import facts, is_duplicate, transaction


def mark(dynamodb: Any, event: dict[str, Any], context: Any) -> str:
    """Mark the event's calendar row, add an audit entry, print the log line, and return the outcome."""
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
    return outcome
