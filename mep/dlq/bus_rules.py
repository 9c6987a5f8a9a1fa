"""The rules of an event bus: which of them invoke the function, and what else receives its events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mep.errors import RunError


@dataclass(frozen=True, slots=True)
class Rule:
    """An enabled rule with an event pattern.

    Attributes:
        name: The rule's name.
        pattern: The event pattern, JSON.
        others: Its targets that are not the function, each as `RULE (SERVICE NAME)`.
    """

    name: str
    pattern: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BusRules:
    """The enabled rules of a bus, without EventBridge's own (archives).

    Attributes:
        own: Rules that invoke the function.
        shared: Rules with other targets.
        several: Whether rules of the bus invoke more than one function.
    """

    own: tuple[Rule, ...]
    shared: tuple[Rule, ...]
    several: bool


def read_rules(client: Any, bus: str, function: str) -> BusRules:
    """Read the rules of a bus.

    A rule that is disabled sends nothing, but still names its function: so the rule of another function is never taken
    for ours while ours is disabled.

    Args:
        client: boto3 client of EventBridge.
        bus: Name or ARN of the bus.
        function: The function's name. It decides only if rules of the bus invoke several functions.

    Raises:
        RunError: The rules invoke several functions, and none has this name.
    """
    rules = [(rule, _targets(client, bus, rule["Name"])) for rule in _patterned_rules(client, bus)]
    invoked = {_function_name(arn) for _, arns in rules for arn in arns if _is_function(arn)}
    own = invoked
    if len(invoked) > 1:
        own = invoked & {function}
        if not own:
            raise RunError(
                f"rules of bus {bus} invoke several functions ({', '.join(sorted(invoked))}), and none is "
                f"{function or 'named'}: set ENVIRONMENT, or use --function NAME"
            )
    enabled = [(rule, arns) for rule, arns in rules if rule.get("State") != "DISABLED"]

    def is_own(arn: str) -> bool:
        return _is_function(arn) and _function_name(arn) in own

    def as_rule(rule: dict[str, str], arns: Iterable[str]) -> Rule:
        others = tuple(f"{rule['Name']} ({_short(arn)})" for arn in arns if not is_own(arn))
        return Rule(rule["Name"], rule["EventPattern"], others)

    return BusRules(
        own=tuple(as_rule(rule, arns) for rule, arns in enabled if any(map(is_own, arns))),
        shared=tuple(as_rule(rule, arns) for rule, arns in enabled if not all(map(is_own, arns))),
        several=len(invoked) > 1,
    )


def _patterned_rules(client: Any, bus: str) -> Iterator[dict[str, str]]:
    token: dict[str, str] = {}
    while True:
        page = client.list_rules(EventBusName=bus, **token)
        for rule in page.get("Rules", []):
            if rule.get("EventPattern") and not rule.get("ManagedBy"):
                yield rule
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _targets(client: Any, bus: str, rule: str) -> list[str]:
    """Return the ARNs of a rule's targets; a rule has at most five, so there is no second page."""
    response = client.list_targets_by_rule(Rule=rule, EventBusName=bus)
    return [target.get("Arn", "") for target in response.get("Targets", [])]


def _is_function(arn: str) -> bool:
    return ":lambda:" in arn


def _function_name(arn: str) -> str:
    """Return `NAME` of `arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS`."""
    return arn.partition(":function:")[2].partition(":")[0]


def _short(arn: str) -> str:
    """Return `SERVICE NAME` of an ARN."""
    try:
        _, _, service, _, _, name = arn.split(":", 5)
    except ValueError:  # not an ARN
        return arn
    return f"{service} {name.removeprefix('function:')}"
