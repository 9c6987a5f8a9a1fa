"""Delivery to a rule's target, compared with AWS's documentation.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html and .../eb-rule-dlq.html
"""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.pipeline.model import (
    AsyncInvokeConfig,
    Disposition,
    PipelineSettings,
    TargetRetryPolicy,
    queue_wait,
    target_wait,
)
from emulator.pipeline.pipeline import FailureDestinations
from emulator.pipeline.rule_target import InvokeError
from tests.support.pipeline_helpers import PAYLOAD, MemoryDestination, Simulation, simulation

HOUR = 3600.0


class FakeInvokeApi:
    """Lambda's Invoke API: rejects the first `times` requests, all if None."""

    def __init__(self, code: str, times: int | None = None) -> None:
        self.code, self.times, self.requests = code, times, 0

    def __call__(self, payload: bytes) -> InvokeError | None:
        assert payload == PAYLOAD
        self.requests += 1
        rejects = self.times is None or self.requests <= self.times
        return InvokeError(self.code, "Rate exceeded") if rejects else None


def deliver(
    invoke_api: FakeInvokeApi, *, policy: TargetRetryPolicy | None = None, destination: MemoryDestination | None = None
) -> Simulation:
    def settings(usual: PipelineSettings) -> PipelineSettings:
        return replace(usual, retry=policy or TargetRetryPolicy())

    return simulation(
        invoke_api=invoke_api, settings=settings, destinations=FailureDestinations(rule_dlq=destination)
    ).deliver()


def test_failed_deliveries_are_retried() -> None:
    done = deliver(FakeInvokeApi("THROTTLING", times=3))

    assert (done.result.disposition, done.result.refusals, done.result.attempts) == (
        Disposition.MARKED,
        3,
        1,
    )
    assert done.metrics()["RuleRetryInvocationAttempts"] == 3
    assert "RuleFailedInvocations" not in done.metrics()


def test_exhausted_retries_send_to_the_dlq() -> None:
    """185 retries take nearly the 24 hours that the other limit allows."""
    destination, invoke_api = MemoryDestination(), FakeInvokeApi("THROTTLING")

    done = deliver(invoke_api, destination=destination)

    assert done.result.disposition is Disposition.RULE_DLQ
    assert 20 * HOUR < done.result.age_s <= 24 * HOUR
    (message,) = destination.messages
    assert message.body == PAYLOAD
    assert message.attributes == {
        "RULE_ARN": PipelineSettings().rule_arn,
        "TARGET_ARN": PipelineSettings().function_arn,
        "ERROR_CODE": "THROTTLING",
        "ERROR_MESSAGE": "Rate exceeded",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": 185,
    }
    metrics = done.metrics()
    assert (metrics["RuleFailedInvocations"], metrics["RuleInvocationsSentToDlq"]) == (1, 1)
    assert metrics["RuleInvocationAttempts"] == invoke_api.requests == 186
    assert "AsyncEventsReceived" not in metrics, "Lambda never received it"


def test_maximum_event_age() -> None:
    destination = MemoryDestination()

    done = deliver(
        FakeInvokeApi("THROTTLING"), policy=TargetRetryPolicy(maximum_event_age_s=60), destination=destination
    )

    assert done.result.age_s <= 60
    assert destination.messages[0].attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


@pytest.mark.parametrize("code", ["NO_PERMISSIONS", "NO_RESOURCE"])
def test_permanent_errors_are_not_retried(code: str) -> None:
    destination, invoke_api = MemoryDestination(), FakeInvokeApi(code)

    done = deliver(invoke_api, destination=destination)

    assert invoke_api.requests == 1
    assert done.result.age_s == 0
    assert destination.messages[0].attributes["RETRY_ATTEMPTS"] == 0
    assert "EXHAUSTED_RETRY_CONDITION" not in destination.messages[0].attributes


def test_target_without_a_dlq_drops_the_event() -> None:
    done = deliver(FakeInvokeApi("NO_RESOURCE"))

    assert (done.result.disposition, done.result.unsent) == (Disposition.DROPPED, ())
    assert done.metrics()["RuleFailedInvocations"] == 1


def test_failing_dlq_drops_the_event() -> None:
    done = deliver(FakeInvokeApi("NO_RESOURCE"), destination=MemoryDestination(broken=True))

    assert (done.result.disposition, done.result.unsent) == (Disposition.DROPPED, (PAYLOAD,))
    assert done.metrics()["RuleInvocationsFailedToBeSentToDlq"] == 1


def test_each_failure_has_its_own_destination() -> None:
    """An execution failure goes to Lambda's destination, a delivery failure to the rule's queue."""
    rule, function = MemoryDestination(), MemoryDestination()
    destinations = FailureDestinations(on_failure=function, rule_dlq=rule)

    simulation("error", destinations=destinations).deliver()
    assert (len(function.messages), len(rule.messages)) == (1, 0)

    simulation(destinations=destinations, invoke_api=FakeInvokeApi("NO_PERMISSIONS")).deliver()
    assert (len(function.messages), len(rule.messages)) == (1, 1)


@given(number=st.integers(1, 1000), seed=st.integers())
def test_waits_grow_within_their_limits(number: int, seed: int) -> None:
    for wait, longest in ((queue_wait, 300.0), (target_wait, 600.0)):
        drawn = wait(number, Random(seed))
        assert 1 <= drawn <= longest
        assert min(2.0 ** (number - 1), longest) / 2 <= drawn <= min(2.0 ** (number - 1), longest)


@pytest.mark.parametrize(
    "make",
    [
        lambda: AsyncInvokeConfig(maximum_retry_attempts=3),
        lambda: AsyncInvokeConfig(maximum_event_age_s=59),
        lambda: AsyncInvokeConfig(maximum_event_age_s=6 * HOUR + 1),
        lambda: AsyncInvokeConfig(reserved_concurrency=-1),
        lambda: AsyncInvokeConfig(duplicate_probability=1.1),
        lambda: TargetRetryPolicy(maximum_retry_attempts=186),
        lambda: TargetRetryPolicy(maximum_event_age_s=24 * HOUR + 1),
    ],
)
def test_settings_out_of_aws_s_bounds_are_rejected(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="it must be"):
        make()
