"""A rule's target: delivery to Lambda's Invoke API, with the retry policy and the dead-letter queue of the target."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from emulator.pipeline.async_queue import AsyncQueue
from emulator.pipeline.backoff import target_wait
from emulator.pipeline.counters import DeliveryCounters
from emulator.pipeline.destinations import Destination, DestinationError
from emulator.pipeline.dispositions import DeliveryResult, Disposition
from emulator.pipeline.failure_records import rule_dlq_message
from emulator.pipeline.ids import IdGenerator
from emulator.pipeline.platform_metrics import PlatformMetrics
from emulator.pipeline.scheduler import Scheduler
from emulator.pipeline.settings import PipelineSettings


@dataclass(frozen=True, slots=True)
class InvokeError:
    """Why Lambda's Invoke API did not take an event.

    Attributes:
        code: EventBridge's error code: `NO_PERMISSIONS`, `NO_RESOURCE`, `THROTTLING`, `INTERNAL_ERROR`, ... See
            https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        text: The error.
    """

    code: str
    text: str

    @property
    def permanent(self) -> bool:
        """Whether EventBridge does not retry it: nothing changes until somebody acts."""
        return self.code in {"NO_PERMISSIONS", "NO_RESOURCE"}


type InvokeApi = Callable[[bytes], InvokeError | None]
"""Lambda's Invoke API: takes an event (None), or says why not."""


@dataclass(slots=True)
class _Delivery:
    payload: bytes
    tag: Any
    begun: float
    skipped_s: float = 0.0
    attempts: int = 0


@dataclass(slots=True)
class LambdaTarget:
    """Delivers events to the function's queue; everything here runs as actions of the timeline.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
    """

    settings: PipelineSettings
    timeline: Scheduler
    account: DeliveryCounters
    metrics: PlatformMetrics
    queue: AsyncQueue
    dlq: Destination | None
    invoke_api: InvokeApi | None
    identities: IdGenerator
    random: Random

    def deliver(self, payload: bytes, tag: Any) -> None:
        """Deliver one event."""
        self._attempt(_Delivery(payload, tag, self.timeline.now()))

    def _attempt(self, delivery: _Delivery) -> None:
        delivery.attempts += 1
        self.metrics.add("AWS/Events", "InvocationAttempts")
        if delivery.attempts > 1:
            self.metrics.add("AWS/Events", "RetryInvocationAttempts")
        invoke_error = self.invoke_api(delivery.payload) if self.invoke_api is not None else None
        if invoke_error is None:
            self.metrics.add("AWS/Events", "SuccessfulInvocationAttempts")
            self.metrics.add("AWS/Events", "Invocations")
            self.queue.accept(delivery.payload, delivery.tag, self.identities.new(), delivery.attempts - 1)
            return
        policy = self.settings.retry
        wait_s = target_wait(delivery.attempts, self.random)
        exhausted = None
        if not invoke_error.permanent:
            if delivery.attempts > policy.maximum_retry_attempts:
                exhausted = "MaximumRetryAttempts"
            elif self._age(delivery) + wait_s > policy.maximum_event_age_s:
                exhausted = "MaximumEventAgeInSeconds"
            else:
                delivery.skipped_s += wait_s * (1 - self.timeline.scale)
                self.timeline.call_later(wait_s, partial(self._attempt, delivery))
                return
        self._give_up(delivery, invoke_error, exhausted)

    def _give_up(self, delivery: _Delivery, invoke_error: InvokeError, exhausted: str | None) -> None:
        self.metrics.add("AWS/Events", "Invocations")
        self.metrics.add("AWS/Events", "FailedInvocations")
        if self.dlq is None:
            self._end(delivery, unsent=())
            return
        message = rule_dlq_message(
            delivery.payload,
            rule_arn=self.settings.rule_arn,
            target_arn=self.settings.function_arn,
            code=invoke_error.code,
            text=invoke_error.text,
            exhausted=exhausted,
            retries=delivery.attempts - 1,
        )

        def send(destination: Destination = self.dlq) -> bool:
            try:
                destination(message)
            except DestinationError:
                return False
            return True

        def sent(taken: bool) -> None:
            if taken:
                self.metrics.add("AWS/Events", "InvocationsSentToDlq")
                self._end(delivery, unsent=None)
            else:
                self.metrics.add("AWS/Events", "InvocationsFailedToBeSentToDlq")
                self._end(delivery, unsent=(message.body,))

        self.timeline.perform(send, sent, lambda _: 0.0)

    def _end(self, delivery: _Delivery, unsent: tuple[bytes, ...] | None) -> None:
        self.account.end(
            DeliveryResult(
                disposition=Disposition.RULE_DLQ if unsent is None else Disposition.DROPPED,
                payload=delivery.payload,
                tag=delivery.tag,
                tries=0,
                throttles=0,
                refusals=delivery.attempts,
                redelivered=False,
                age_s=self._age(delivery),
                request_id="",
                last=None,
                condition=None,
                unsent=unsent or (),
            )
        )

    def _age(self, delivery: _Delivery) -> float:
        return self.timeline.now() - delivery.begun + delivery.skipped_s
