"""How the chain is configured, in AWS's names, units and bounds."""

from dataclasses import dataclass

from emulator.environment import ACCOUNT_ID, REGION

HOUR_S = 3600.0


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value:g}: it must be {low:g} to {high:g}")


@dataclass(frozen=True, slots=True)
class AsyncInvokeConfig:
    """Lambda's settings of asynchronous invocation.

    https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html and, for what the defaults do,
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html

    Attributes:
        maximum_retry_attempts: Further tries after a function error, 0 to 2.
        maximum_event_age_s: Seconds that an event may stay in the queue, 60 to 21,600.
        reserved_concurrency: Invocations that may run at once; what is beyond is throttled. 0 sends every event to the
            nets. None: as many as there are workers, and events wait for one.
        duplicate_probability: Of delivering an event once more after it succeeded, 0 to 0.9. AWS says only that it
            happens.

    Raises:
        ValueError: One is out of AWS's bounds.
    """

    maximum_retry_attempts: int = 2
    maximum_event_age_s: float = 6 * HOUR_S
    reserved_concurrency: int | None = None
    duplicate_probability: float = 0.0

    def __post_init__(self) -> None:
        _within("maximum_retry_attempts", self.maximum_retry_attempts, 0, 2)
        _within("maximum_event_age_s", self.maximum_event_age_s, 60, 6 * HOUR_S)
        _within("reserved_concurrency", self.reserved_concurrency or 0, 0, float("inf"))
        _within("duplicate_probability", self.duplicate_probability, 0, 0.9)


@dataclass(frozen=True, slots=True)
class TargetRetryPolicy:
    """The retry policy of a rule's target.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html

    Attributes:
        maximum_retry_attempts: 0 to 185.
        maximum_event_age_s: Seconds, 60 to 86,400.

    Raises:
        ValueError: One is out of AWS's bounds.
    """

    maximum_retry_attempts: int = 185
    maximum_event_age_s: float = 24 * HOUR_S

    def __post_init__(self) -> None:
        _within("maximum_retry_attempts", self.maximum_retry_attempts, 0, 185)
        _within("maximum_event_age_s", self.maximum_event_age_s, 60, 24 * HOUR_S)


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """The whole chain.

    Attributes:
        invoke: Lambda's asynchronous invocation.
        retry: The rule target's retry policy.
        timeout_s: The function's timeout in seconds.
        function_arn: The function.
        rule_arn: The rule.
        seed: Of everything that is drawn: jitter, IDs, duplicates.
        live_limit: Events that may be on their way before no more are read from the input.
    """

    invoke: AsyncInvokeConfig = AsyncInvokeConfig()
    retry: TargetRetryPolicy = TargetRetryPolicy()
    timeout_s: float = 30
    function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:MarkEarningsProcessed"
    rule_arn: str = f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/earnings/MarkEarningsProcessed"
    seed: int = 0
    live_limit: int = 10_000
