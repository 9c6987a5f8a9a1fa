"""A rule's target: delivery to Lambda's Invoke API, with the retry policy and the dead-letter queue of the target."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from emulator.pipeline.async_queue import AsyncQueue
from emulator.pipeline.bus_log import BusLog, Step, envelope_id
from emulator.pipeline.destinations import Destination, DestinationError, rule_dlq_message
from emulator.pipeline.model import (
    DeliveryCounters,
    DeliveryResult,
    Disposition,
    IdGenerator,
    PipelineSettings,
    target_wait,
)
from emulator.pipeline.platform_metrics import PlatformMetrics
from emulator.pipeline.scheduler import Scheduler
from emulator.pipeline.waits import Wait


@dataclass(frozen=True, slots=True)
class InvokeError:
    """Why Lambda's Invoke API rejected an event.

    Attributes:
        code: EventBridge's error code: `NO_PERMISSIONS`, `NO_RESOURCE`, `THROTTLING`, `INTERNAL_ERROR`, ... See
            https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        text: The error message.
    """

    code: str
    text: str

    @property
    def permanent(self) -> bool:
        """Whether EventBridge does not retry the error: nothing changes until somebody acts."""
        return self.code in {"NO_PERMISSIONS", "NO_RESOURCE"}


_DLQ_ERROR = InvokeError("InternalError", "the dead-letter queue did not accept the event")


def _error(error: InvokeError) -> dict[str, str]:
    return {"error_message": error.text, "aws_service": "AWSSQS" if error is _DLQ_ERROR else "AWSLambda"}


type InvokeApi = Callable[[bytes], InvokeError | None]
"""Lambda's Invoke API: accepts an event (None) or rejects it."""


@dataclass(slots=True)
class _Delivery:
    payload: bytes
    tag: Any
    begun: float
    event_id: str
    invocation_id: str
    skipped_s: float = 0.0
    attempts: int = 0


@dataclass(slots=True)
class LambdaTarget:
    """Delivers events to the function's queue. All methods run as actions of the scheduler.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """

    settings: PipelineSettings
    scheduler: Scheduler
    counters: DeliveryCounters
    metrics: PlatformMetrics
    queue: AsyncQueue
    dlq: Destination | None
    invoke_api: InvokeApi | None
    log: BusLog
    ids: IdGenerator
    random: Random

    def deliver(self, payload: bytes, tag: Any) -> None:
        """Deliver one event."""
        event_id, invocation_id = "", ""
        if self.log.enabled:
            event_id, invocation_id = envelope_id(payload), str(uuid.uuid4())
            matched = {
                "rule_arn": self.settings.rule_arn,
                "target_arns": [self.settings.function_arn],
                "invocation_ids": [invocation_id],
            }
            self.log.record(Step.RULE_MATCH, event_id, matched)
        self._attempt(_Delivery(payload, tag, self.scheduler.now(), event_id, invocation_id))

    def _attempt(self, delivery: _Delivery) -> None:
        self.queue.waits.end(id(delivery))
        delivery.attempts += 1
        self.metrics.add("AWS/Events", "InvocationAttempts")
        if delivery.attempts > 1:
            self.metrics.add("AWS/Events", "RetryInvocationAttempts")
        error = self.invoke_api(delivery.payload) if self.invoke_api is not None else None
        if error is None:
            self.metrics.add("AWS/Events", "SuccessfulInvocationAttempts")
            self.metrics.add("AWS/Events", "Invocations")
            self._log_end(Step.INVOCATION_SUCCESS, delivery)
            self.queue.accept(delivery.payload, delivery.tag, self.ids.new(), delivery.attempts - 1)
            return
        self._log_attempt(delivery, error)
        policy = self.settings.retry
        wait_s = target_wait(delivery.attempts, self.random)
        exhausted = None
        if not error.permanent:
            if delivery.attempts > policy.maximum_retry_attempts:
                exhausted = "MaximumRetryAttempts"
            elif self._age(delivery) + wait_s > policy.maximum_event_age_s:
                exhausted = "MaximumEventAgeInSeconds"
            else:
                delivery.skipped_s += wait_s * (1 - self.scheduler.scale)
                due = self.scheduler.now() + wait_s * self.scheduler.scale
                self.queue.waits.begin(id(delivery), Wait(delivery.attempts + 1, due, "EventBridge"))
                self.scheduler.call_later(wait_s, partial(self._attempt, delivery))
                return
        self._send_to_dlq(delivery, error, exhausted)

    def _send_to_dlq(self, delivery: _Delivery, error: InvokeError, exhausted: str | None) -> None:
        self.metrics.add("AWS/Events", "Invocations")
        self.metrics.add("AWS/Events", "FailedInvocations")
        self._log_end(Step.INVOCATION_FAILURE, delivery, error, error)
        if self.dlq is None:
            self._finish(delivery, Disposition.DROPPED)
            return
        message = rule_dlq_message(
            delivery.payload,
            rule_arn=self.settings.rule_arn,
            target_arn=self.settings.function_arn,
            code=error.code,
            text=error.text,
            exhausted=exhausted,
            retries=delivery.attempts - 1,
        )

        def send(destination: Destination = self.dlq) -> bool:
            try:
                destination(message)
            except DestinationError:
                return False
            return True

        def on_sent(accepted: bool) -> None:
            self._log_end(Step.INVOCATION_DLQ, delivery, error, None if accepted else _DLQ_ERROR)
            if accepted:
                self.metrics.add("AWS/Events", "InvocationsSentToDlq")
                self._finish(delivery, Disposition.RULE_DLQ)
            else:
                self.metrics.add("AWS/Events", "InvocationsFailedToBeSentToDlq")
                self._finish(delivery, Disposition.DROPPED, (message.body,))

        self.scheduler.perform(send, on_sent, lambda _: 0.0)

    def _finish(self, delivery: _Delivery, disposition: Disposition, unsent: tuple[bytes, ...] = ()) -> None:
        self.counters.finish(
            DeliveryResult(
                disposition,
                delivery.payload,
                delivery.tag,
                refusals=delivery.attempts,
                age_s=self._age(delivery),
                unsent=unsent,
            )
        )

    def _log_attempt(self, delivery: _Delivery, error: InvokeError) -> None:
        """Write the record of an attempt that failed; one that succeeded is of no major step."""
        if error.code == "THROTTLING":
            step = Step.INVOCATION_ATTEMPT_THROTTLE
        elif error.permanent:
            step = Step.INVOCATION_ATTEMPT_PERMANENT_FAILURE
        else:
            step = Step.INVOCATION_ATTEMPT_RETRYABLE_FAILURE
        details = {
            **self._target,
            "attempt_type": "FIRST" if delivery.attempts == 1 else "RETRY",
            "attempt_count": delivery.attempts,
            "invocation_status": error.code,
        }
        invocation_id = delivery.invocation_id
        self.log.record(step, delivery.event_id, details, invocation_id=invocation_id, error=_error(error))

    def _log_end(
        self, step: Step, delivery: _Delivery, last: InvokeError | None = None, error: InvokeError | None = None
    ) -> None:
        """Write a record of the delivery's result: of its last error, and the error of the step itself."""
        latency_ms = round(self._age(delivery) * 1000)
        details = {
            **self._target,
            "total_attempts": delivery.attempts,
            "final_invocation_status": "SUCCESS" if last is None else last.code,
            "ingestion_to_complete_latency_ms": latency_ms,
            **({"ingestion_to_success_latency_ms": latency_ms} if last is None else {}),
        }
        failed = None if error is None else _error(error)
        self.log.record(step, delivery.event_id, details, invocation_id=delivery.invocation_id, error=failed)

    @property
    def _target(self) -> dict[str, str]:
        return {"rule_arn": self.settings.rule_arn, "target_arn": self.settings.function_arn}

    def _age(self, delivery: _Delivery) -> float:
        return self.scheduler.now() - delivery.begun + delivery.skipped_s
