"""V0 with the real function's cold start: trimmed botocore data, few handlers, lazy imports, and no telemetry.

The difference to the real function is the cost of telemetry. `parameter_validation` is off in both.
"""

import gc
import os

gc.disable()

from handler.coldstart.lazy_imports import lazy_imports

with lazy_imports(os.environ):
    import json
    from datetime import UTC, datetime
    from typing import Any

    from bench.write import correlation_id, facts, is_duplicate, transaction
    from handler.aws import dynamodb_client
    from handler.settings import load_settings

dynamodb: Any = dynamodb_client(load_settings(os.environ))

gc.freeze()
gc.enable()


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Mark the event's calendar row and add an audit entry in one transaction."""
    now = datetime.now(UTC).isoformat()
    outcome = "marked"
    reply = dynamodb.transact_write_items(TransactItems=transaction(event, context, now))
    if "Error" in reply:  # this client returns error responses as values
        if not is_duplicate(reply):
            raise RuntimeError(reply["Error"]["Code"])
        outcome = "duplicate"
    line = {"timestamp": now, "level": "INFO", "message": "event processed", **facts(event, context, outcome)}
    print(json.dumps(line))
    return {"outcome": outcome, "correlation_id": correlation_id(event)}
