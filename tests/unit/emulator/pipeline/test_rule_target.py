"""Delivery to a rule's target, against what AWS documents.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html and .../eb-rule-dlq.html
"""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
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


class Door:
    """Lambda's Invoke API: refuses as often as told (None: for ever)."""

    def __init__(self, code: str, times: int | None = None) -> None:
        self.code, self.times, self.asked = code, times, 0

    def __call__(self, payload: bytes) -> InvokeError | None:
        assert payload == PAYLOAD
        self.asked += 1
        refuses = self.times is None or self.asked <= self.times
        return InvokeError(self.code, "Rate exceeded") if refuses else None


def refused(
    invoke_api: Door, *, policy: TargetRetryPolicy | None = None, destination: MemoryDestination | None = None
) -> Simulation:
    def settings(usual: PipelineSettings) -> PipelineSettings:
        return replace(usual, retry=policy or TargetRetryPolicy())

    return simulation(
        invoke_api=invoke_api, settings=settings, destinations=FailureDestinations(rule_dlq=destination)
    ).deliver()


def test_a_refusal_that_ends_costs_nothing_but_time() -> None:
    done = refused(Door("THROTTLING", times=3))

    assert (done.delivery_result.disposition, done.delivery_result.refusals, done.delivery_result.attempts) == (
        Disposition.MARKED,
        3,
        1,
    )
    assert done.metrics()["RuleRetryInvocationAttempts"] == 3
    assert "RuleFailedInvocations" not in done.metrics()


def test_after_185_further_attempts_or_a_day_the_event_goes_to_the_target_s_queue() -> None:
    destination, invoke_api = MemoryDestination(), Door("THROTTLING")

    done = refused(invoke_api, destination=destination)

    assert done.delivery_result.disposition is Disposition.RULE_DLQ
    assert 20 * HOUR < done.delivery_result.age_s <= 24 * HOUR
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
    assert metrics["RuleInvocationAttempts"] == invoke_api.asked == 186
    assert "AsyncEventsReceived" not in metrics, "Lambda never had it"


def test_the_maximum_age_of_the_target() -> None:
    destination = MemoryDestination()

    done = refused(Door("THROTTLING"), policy=TargetRetryPolicy(maximum_event_age_s=60), destination=destination)

    assert done.delivery_result.age_s <= 60
    assert destination.messages[0].attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"


@pytest.mark.parametrize("code", ["NO_PERMISSIONS", "NO_RESOURCE"])
def test_what_no_retry_can_help_goes_there_at_once(code: str) -> None:
    destination, invoke_api = MemoryDestination(), Door(code)

    done = refused(invoke_api, destination=destination)

    assert invoke_api.asked == 1
    assert done.delivery_result.age_s == 0
    assert destination.messages[0].attributes["RETRY_ATTEMPTS"] == 0
    assert "EXHAUSTED_RETRY_CONDITION" not in destination.messages[0].attributes


def test_a_target_without_a_queue_drops_the_event() -> None:
    done = refused(Door("NO_RESOURCE"))

    assert (done.delivery_result.disposition, done.delivery_result.unsent) == (Disposition.DROPPED, ())
    assert done.metrics()["RuleFailedInvocations"] == 1


def test_a_queue_that_fails_is_told() -> None:
    done = refused(Door("NO_RESOURCE"), destination=MemoryDestination(broken=True))

    assert (done.delivery_result.disposition, done.delivery_result.unsent) == (Disposition.DROPPED, (PAYLOAD,))
    assert done.metrics()["RuleInvocationsFailedToBeSentToDlq"] == 1


def test_an_execution_failure_never_reaches_the_rule_s_queue_and_a_delivery_failure_never_lambda_s() -> None:
    rule, function = MemoryDestination(), MemoryDestination()
    destinations = FailureDestinations(on_failure=function, rule_dlq=rule)

    simulation("error", destinations=destinations).deliver()
    assert (len(function.messages), len(rule.messages)) == (1, 0)

    simulation(destinations=destinations, invoke_api=Door("NO_PERMISSIONS")).deliver()
    assert (len(function.messages), len(rule.messages)) == (1, 1)


@settings(deadline=None, max_examples=50)
@given(number=st.integers(1, 1000), seed=st.integers())
def test_waits_stay_within_their_bounds_and_do_not_shrink(number: int, seed: int) -> None:
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
def test_settings_outside_of_aws_s_bounds_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="it must be"):
        make()
