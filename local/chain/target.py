"""A rule's target: delivery to Lambda's Invoke API, with the retry policy and the dead-letter queue of the target."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from local.chain.account import Account
from local.chain.async_queue import AsyncQueue
from local.chain.backoff import target_wait
from local.chain.identity import Identities
from local.chain.nets import Net, NetError
from local.chain.places import Ending, Place
from local.chain.platform_metrics import PlatformMetrics
from local.chain.records import rule_dlq_message
from local.chain.settings import ChainSettings
from local.chain.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Lambda's Invoke API did not take an event.

    Attributes:
        code: EventBridge's error code: `NO_PERMISSIONS`, `NO_RESOURCE`, `THROTTLING`, `INTERNAL_ERROR`, ... See
            https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        text: The error.
    """

    code: str
    text: str

    @property
    def final(self) -> bool:
        """Whether EventBridge does not retry it: nothing changes until somebody acts."""
        return self.code in {"NO_PERMISSIONS", "NO_RESOURCE"}


type Door = Callable[[bytes], Refusal | None]
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

    settings: ChainSettings
    timeline: Timeline
    account: Account
    metrics: PlatformMetrics
    queue: AsyncQueue
    dlq: Net | None
    door: Door | None
    identities: Identities
    random: Random

    def deliver(self, payload: bytes, tag: Any) -> None:
        """Deliver one event."""
        self._attempt(_Delivery(payload, tag, self.timeline.now()))

    def _attempt(self, delivery: _Delivery) -> None:
        delivery.attempts += 1
        self.metrics.add("AWS/Events", "InvocationAttempts")
        if delivery.attempts > 1:
            self.metrics.add("AWS/Events", "RetryInvocationAttempts")
        refusal = self.door(delivery.payload) if self.door is not None else None
        if refusal is None:
            self.metrics.add("AWS/Events", "SuccessfulInvocationAttempts")
            self.metrics.add("AWS/Events", "Invocations")
            self.queue.accept(delivery.payload, delivery.tag, self.identities.new(), delivery.attempts - 1)
            return
        policy = self.settings.retry
        wait_s = target_wait(delivery.attempts, self.random)
        exhausted = None
        if not refusal.final:
            if delivery.attempts > policy.maximum_retry_attempts:
                exhausted = "MaximumRetryAttempts"
            elif self._age(delivery) + wait_s > policy.maximum_event_age_s:
                exhausted = "MaximumEventAgeInSeconds"
            else:
                delivery.skipped_s += wait_s * (1 - self.timeline.scale)
                self.timeline.call_later(wait_s, partial(self._attempt, delivery))
                return
        self._give_up(delivery, refusal, exhausted)

    def _give_up(self, delivery: _Delivery, refusal: Refusal, exhausted: str | None) -> None:
        self.metrics.add("AWS/Events", "Invocations")
        self.metrics.add("AWS/Events", "FailedInvocations")
        if self.dlq is None:
            self._end(delivery, unsent=())
            return
        message = rule_dlq_message(
            delivery.payload,
            rule_arn=self.settings.rule_arn,
            target_arn=self.settings.function_arn,
            code=refusal.code,
            text=refusal.text,
            exhausted=exhausted,
            retries=delivery.attempts - 1,
        )

        def send(net: Net = self.dlq) -> bool:
            try:
                net(message)
            except NetError:
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
            Ending(
                place=Place.RULE_DLQ if unsent is None else Place.DROPPED,
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
