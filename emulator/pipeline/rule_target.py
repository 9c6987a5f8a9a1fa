"""A rule's target: delivery to Lambda's Invoke API, with the retry policy and the dead-letter queue of the target."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from emulator.pipeline.async_queue import AsyncQueue
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


type InvokeApi = Callable[[bytes], InvokeError | None]
"""Lambda's Invoke API: accepts an event (None) or rejects it."""


@dataclass(slots=True)
class _Delivery:
    payload: bytes
    tag: Any
    begun: float
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
    ids: IdGenerator
    random: Random

    def deliver(self, payload: bytes, tag: Any) -> None:
        """Deliver one event."""
        self._attempt(_Delivery(payload, tag, self.scheduler.now()))

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
            self.queue.accept(delivery.payload, delivery.tag, self.ids.new(), delivery.attempts - 1)
            return
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

    def _age(self, delivery: _Delivery) -> float:
        return self.scheduler.now() - delivery.begun + delivery.skipped_s
