"""The function as the destination of a redrive: invoked synchronously, so that the answer is the outcome."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, override

from handler.dead_letters import serialize_event
from mep.aws import AwsClients
from mep.dlq.destinations import CannotSendError, Destination, RejectedError, sending
from mep.dlq.error_mapping import function_cause
from redriver.settings import CONNECT_TIMEOUT_S
from redriver.stores import Rows

MAX_BYTES = 6 * 1024 * 1024
"""The maximum size of the payload of a synchronous invocation."""

READ_TIMEOUT_S = 45
"""Longer than the function's timeout and its start."""

# The outcomes of `handler.outcome`, which this function does not import: it needs packages beside boto3.
MARKED = frozenset({"marked", "duplicate"})
"""Outcomes after which the row is marked."""
FINAL = MARKED | {"dead_lettered"}
"""Outcomes after which the event needs no further attempt."""


def lambda_client(aws: AwsClients) -> Any:
    """Return a client of Lambda for synchronous invocations: one attempt each, and a trace of its own for each.

    boto3 sends the trace header of this function with every call: all events of a run would share one trace.
    """
    retries = {"mode": "standard", "total_max_attempts": 1}
    client = aws.client("lambda", connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries=retries)
    # The client lives as long as the sandbox, and is asked for in each run.
    client.meta.events.register_last("before-call", _without_trace_header, unique_id="without-trace-header")
    return client


def _without_trace_header(params: dict[str, Any], **_: Any) -> None:
    params["headers"].pop("X-Amzn-Trace-Id", None)


@dataclass
class Invocation(Destination):
    """Sends an event to the function and waits for its outcome.

    An event is accepted once its outcome is final: `marked` or `duplicate` and its row is marked, or `dead_lettered`:
    then the function has put a new message into the queue. If the function raises or does not answer, the event is not
    accepted. Lambda neither repeats a synchronous invocation nor sends its event to a failure destination, so the
    message in the queue is the only one.

    Attributes:
        client: boto3 client of Lambda, of `lambda_client`.
        function: ARN of the alias.
        rows: Reads the row.
        outcome: The final outcome of the last event; empty if it has none.
    """

    client: Any
    function: str
    rows: Rows
    outcome: str = field(default="", init=False)

    @property
    @override
    def name(self) -> str:
        return f"function:{self.function}"

    @property
    def marked(self) -> bool:
        """Whether the last event's row is marked."""
        return self.outcome in MARKED

    @override
    def check(self, event: Any) -> None:
        if (size := len(_payload(event))) > MAX_BYTES:
            raise CannotSendError(f"the event has {size:,} bytes; an invocation accepts at most {MAX_BYTES:,}")

    @override
    def other_targets(self, event: Any) -> list[str]:
        return []

    @override
    def send(self, event: Any) -> str:
        self.outcome = ""
        with sending(self.name, self.client):
            response = self.client.invoke(
                FunctionName=self.function, InvocationType="RequestResponse", Payload=_payload(event)
            )
            answer = _answer(response["Payload"].read())
        if response.get("FunctionError"):
            error_type, message = (str(answer.get(name, "")) for name in ("errorType", "errorMessage"))
            cause = function_cause(error_type, message).category
            raise RejectedError(f"the function failed: {cause.value if cause else 'without an error'}")
        outcome = answer.get("outcome")
        if outcome not in FINAL:
            raise RejectedError("the function answered without a final outcome")
        if outcome in MARKED and not self.rows.is_marked(event):
            raise RejectedError(f"the function answered {outcome}, but the row is not marked")
        self.outcome = outcome
        return str(response["ResponseMetadata"].get("RequestId", ""))


def _payload(event: Any) -> bytes:
    return serialize_event(event).encode(errors="replace")


def _answer(payload: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(payload)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
