"""The faults of a run: proxies on the wire, and the answers of Lambda and EventBridge."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from threading import Lock
from typing import Any

from emulator.faults import (
    Exchange,
    Fault,
    FaultProxy,
    aws_error,
    cancelled,
    http_status,
    lost_reply,
    sqs_error,
    stall,
    throttled_write,
)
from emulator.lambda_runtime.worker import InvocationResult, Worker
from emulator.pipeline.invokers import Invoker
from emulator.pipeline.rule_target import InvokeError
from emulator.services.sqs import QueueEndpoint
from handler.contract import CALENDAR
from mep.local.faults import RequestedFault, Scope

_WRITE, _SEND = "TransactWriteItems", "SendMessage"
_DENIED = "the function is not authorized to perform this action"

_WRITE_FAULTS: Mapping[str, Callable[[int], Fault]] = {
    "throttle": throttled_write,
    "conflict": lambda _: cancelled("TransactionConflict", "None"),
    "server-error": lambda _: http_status(500),
    "denied": lambda _: aws_error("AccessDeniedException", message=_DENIED),
    "missing-table": lambda _: aws_error("ResourceNotFoundException", message="Requested resource not found"),
    "hang": lambda _: stall(),
    "lost-reply": lambda _: lost_reply(),
    "raise": lambda _: aws_error("IdempotentParameterMismatchException"),
}


class Rehearsal:
    """Applies the requested faults to one run.

    Args:
        faults: The faults.
        stack: The proxies close with it.
    """

    def __init__(self, faults: Sequence[RequestedFault], stack: ExitStack) -> None:
        self._faults = {scope: [fault for fault in faults if fault.scope is scope] for scope in Scope}
        self._stack = stack
        self._lock = Lock()
        self._applied: Counter[tuple[tuple[Scope, int], str]] = Counter()
        self._workers: Sequence[Worker] = ()

    def dynamodb_url(self, url: str) -> str:
        """Return the URL of DynamoDB for the function: of a proxy if a fault of the write is requested."""
        if not self._faults[Scope.WRITE]:
            return url
        return self._proxy(url, Fault("write", self._on_write))

    def queue(self, queue: QueueEndpoint) -> QueueEndpoint:
        """Return the dead-letter queue for those that send to it: behind a proxy if a fault of it is requested."""
        if not self._faults[Scope.MESSAGE]:
            return queue
        return replace(queue, url=self._proxy(queue.url, Fault("send", self._on_send)))

    def _proxy(self, url: str, fault: Fault) -> str:
        return self._stack.enter_context(FaultProxy(url, otherwise=fault, recording=False)).url

    def invokers(self, workers: Sequence[Worker]) -> Sequence[Invoker]:
        """Return what invokes the function: the workers, behind Lambda's throttling if that is requested."""
        self._workers = workers
        if not self._faults[Scope.INVOCATION]:
            return workers
        return [_ThrottledInvoker(worker, self._is_throttled) for worker in workers]

    def invoke_api(self, payload: bytes) -> InvokeError | None:
        """Accept or reject a delivery of the rule, as Lambda's Invoke API does."""
        del payload
        if self._next(Scope.DELIVERY, "") is None:
            return None
        return InvokeError("NO_PERMISSIONS", "the rule is not authorized to invoke the function")

    def unused(self) -> list[RequestedFault]:
        """Return the faults that were never applied."""
        with self._lock:
            applied = {fault for fault, _ in self._applied}
        return [
            fault
            for faults in self._faults.values()
            for number, fault in enumerate(faults)
            if (fault.scope, number) not in applied
        ]

    def _next(self, scope: Scope, unit: str, symbol: str | None = None) -> tuple[RequestedFault, int] | None:
        """Return the next fault of an event or of the run, and how often it was applied before; None for none."""
        with self._lock:
            for number, fault in enumerate(self._faults[scope]):
                applied = self._applied.get(((scope, number), unit), 0)
                used_up = fault.count is not None and applied >= fault.count
                if not used_up and fault.symbol in {None, symbol}:
                    self._applied[(scope, number), unit] += 1
                    return fault, applied
        return None

    def _is_throttled(self, request_id: str) -> bool:
        return self._next(Scope.INVOCATION, request_id) is not None

    def _on_write(self, exchange: Exchange) -> None:
        if exchange.request.operation != _WRITE:
            exchange.reply(exchange.forward())
            return
        symbol, event_id, request_id = _event_of(exchange.request.json)
        # By its event ID, which a redelivery and a redrive have as well: a redrive succeeds when the count is used up.
        chosen = self._next(Scope.WRITE, event_id, symbol)
        if chosen is None:
            exchange.reply(exchange.forward())
        elif chosen[0].name == "crash":
            for worker in self._workers:
                worker.crash(request_id)
            exchange.wait_for_client_to_leave(None)
        else:
            fault, applied = chosen
            _WRITE_FAULTS[fault.name](applied).act(exchange)

    def _on_send(self, exchange: Exchange) -> None:
        if exchange.request.operation == _SEND and self._next(Scope.MESSAGE, "") is not None:
            sqs_error("AccessDeniedException", 403, _DENIED).act(exchange)
        else:
            exchange.reply(exchange.forward())


class _ThrottledInvoker:
    """A worker that Lambda throttles.

    Args:
        worker: Runs the invocations that are not throttled.
        is_throttled: Returns whether this invocation, by its request ID, is throttled.
    """

    def __init__(self, worker: Worker, is_throttled: Callable[[str], bool]) -> None:
        self._worker = worker
        self._is_throttled = is_throttled

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """Throttle the invocation, or run it; see `emulator.pipeline.invokers.Invoker`."""
        if request_id is not None and self._is_throttled(request_id):
            return InvocationResult("throttled", b"", request_id, 0.0, cold_start=False)
        return self._worker.invoke(payload, trace_header=trace_header, request_id=request_id, timeout_s=timeout_s)


def _event_of(transaction: Any) -> tuple[str, str, str]:
    """Return symbol, event ID and request ID of a write: of the key of its update, and of its audit entry."""
    update, put = (next(iter(item.values())) for item in transaction["TransactItems"])
    symbol: str = update["Key"][CALENDAR.key[0]]["S"]
    return symbol, put["Item"]["event_id"]["S"], put["Item"]["request_id"]["S"]
