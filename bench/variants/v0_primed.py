"""V0 with a plain priming hook: before the snapshot, one event whose request botocore answers from memory.

What a developer adds who reads AWS's advice on SnapStart. Nothing else of V0 changes.
"""

import contextlib
import io
import json
from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSResponse
from snapshot_restore_py import register_before_snapshot  # type: ignore[import-untyped]

from bench.v0 import dynamodb, lambda_handler

__all__ = ["lambda_handler"]

_EVENT = {
    "id": "17793124-05d4-b198-2fde-000000000000",
    "detail": {"asset_symbol": "AAPL", "earnings_date": "2026-02-03", "correlation_id": "priming"},
}


def _answer(request: Any, **_: Any) -> AWSResponse:
    body = json.dumps({"ConsumedCapacity": []}).encode()
    headers: Any = {}
    return AWSResponse(request.url, 200, headers, SimpleNamespace(stream=lambda: iter([body])))


@register_before_snapshot  # type: ignore[untyped-decorator] # the library has no types
def prime() -> None:
    """Process an event."""
    dynamodb.meta.events.register("before-send", _answer)
    with contextlib.redirect_stdout(io.StringIO()):
        lambda_handler(_EVENT, SimpleNamespace(aws_request_id="priming", function_version="1"))
    dynamodb.meta.events.unregister("before-send", _answer)
