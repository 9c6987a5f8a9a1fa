"""Asynchronous delivery of one event, as Lambda does it: redelivered on failure, then the destination."""

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, get_args

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from local.environment import new_trace_header, trace_root
from local.worker import InvocationResult

type Outcome = Literal["marked", "duplicate", "dead_lettered", "retry"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome.__value__)

# Lambda waits one and two minutes; nobody wants to on a laptop.
RETRY_WAITS_S = (0.2, 0.4)


class Invoker(Protocol):
    """What delivery needs of a worker."""

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Invoke the function once; see `local.worker.Worker.invoke`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of an event.

    Attributes:
        outcome: The one outcome it ended in; None when the function returned something that is none.
        tries: Invocations it took.
        last: How the last of them ended.
        unsent_record: The on-failure record, where the destination did not take it: it is nowhere else.
    """

    outcome: Outcome | None
    tries: int
    last: InvocationResult
    unsent_record: bytes | None = None


@dataclass(frozen=True, slots=True)
class AsyncDelivery:
    """Delivers events as Lambda does for asynchronous invocations, with its waits scaled down.

    Attributes:
        function_arn: The function's ARN, for the record.
        send_record: Sends an on-failure record to the destination; may raise botocore's errors.
        timeout_s: The function's timeout in seconds.
        retry_waits_s: Seconds to wait before each further try; their number is the number of further tries.
        sleep: How to wait.
    """

    function_arn: str
    send_record: Callable[[bytes], None]
    timeout_s: float = 30
    retry_waits_s: tuple[float, ...] = RETRY_WAITS_S
    sleep: Callable[[float], None] = time.sleep

    def deliver(self, worker: Invoker, payload: bytes) -> Delivery:
        """Deliver one event and return its one outcome.

        Every try has the same request ID and stays in the same trace. When the last one failed too (the function
        raised, timed out or died), the on-failure record goes to the destination and the outcome is `retry`.
        """
        request_id = str(uuid.uuid4())
        root = trace_root(new_trace_header())
        tries = 0
        for wait_s in (*self.retry_waits_s, None):
            tries += 1
            result = worker.invoke(
                payload,
                trace_header=new_trace_header(root=root),
                request_id=request_id,
                timeout_s=self.timeout_s,
            )
            if result.status == "ok":
                return Delivery(_outcome(result.payload), tries, result)
            if wait_s is not None:
                self.sleep(wait_s)
        record = on_failure_record(self.function_arn, payload, result, tries)
        try:
            self.send_record(record)
        except (BotoCoreError, ClientError):
            return Delivery("retry", tries, result, unsent_record=record)
        return Delivery("retry", tries, result)


def _outcome(payload: bytes) -> Outcome | None:
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    named = answer.get("outcome") if isinstance(answer, dict) else None
    return next((outcome for outcome in OUTCOMES if outcome == named and outcome != "retry"), None)


def on_failure_record(function_arn: str, payload: bytes, result: InvocationResult, tries: int) -> bytes:
    """Return the record that Lambda sends to an on-failure destination, as JSON.

    Args:
        function_arn: ARN of the function that was invoked.
        payload: The event, JSON; it stands in the record as it is.
        result: The last try.
        tries: How many there were.
    """
    try:
        response = orjson.loads(result.payload)
    except orjson.JSONDecodeError:
        response = None
    record = orjson.dumps(
        {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": result.request_id,
                "functionArn": f"{function_arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": tries,
            },
            "requestPayload": orjson.Fragment(payload),
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": response,
        }
    )
    # Inside JSON strings these stand as plain characters, but SQS refuses them in a body.
    return re.sub("[\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", record.decode()).encode()
