"""Whether somebody has paused the function: then nothing is redriven."""

from enum import StrEnum

from mep.aws_errors import aws_errors
from redriver.settings import RedriverSettings


class Pause(StrEnum):
    """How the function is paused."""

    RULE_DISABLED = "rule_disabled"
    NO_CONCURRENCY = "no_concurrency"


def find_pause(settings: RedriverSettings) -> Pause | None:
    """Return how the function is paused; None if it is not.

    Raises:
        MepError: EventBridge or Lambda could not be asked.
    """
    events = settings.client("events")
    with aws_errors(f"the rule {settings.rule} cannot be read", events):
        rule = events.describe_rule(Name=settings.rule, EventBusName=settings.bus)
    if rule.get("State") == "DISABLED":
        return Pause.RULE_DISABLED
    lambda_ = settings.client("lambda")
    with aws_errors(f"the concurrency of {settings.unqualified_function} cannot be read", lambda_):
        concurrency = lambda_.get_function_concurrency(FunctionName=settings.unqualified_function)
    return Pause.NO_CONCURRENCY if concurrency.get("ReservedConcurrentExecutions") == 0 else None
