"""Which environment a name belongs to, by the naming rules; resources of two environments are never mixed.

A message of one environment that is redriven to the bus of another would be lost to its own.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from handler.contract import AUDIT, BUS, CALENDAR
from mep.errors import UsageError
from monitoring.names import ENVIRONMENTS, table_name

FUNCTION_VARIABLE = "AWS_LAMBDA_FUNCTION_NAME"
_SUFFIX = re.compile(f"-({'|'.join(ENVIRONMENTS)})")


class Resource(StrEnum):
    """A resource that a command is given by name. The value is the stack's output with it."""

    QUEUE = "DeadLetterQueueUrl"
    BUS = "EventBusName"
    CALENDAR = "CalendarTable"
    AUDIT = "AuditTable"
    FUNCTION = "FunctionName"
    LOG_GROUP = "LogGroupName"


NOUNS = {
    Resource.QUEUE: "dead-letter queue",
    Resource.BUS: "event bus",
    Resource.CALENDAR: "calendar table",
    Resource.AUDIT: "audit table",
    Resource.FUNCTION: "function",
    Resource.LOG_GROUP: "log group",
}


@dataclass(frozen=True, slots=True)
class Given:
    """A resource that an option or a variable names.

    Attributes:
        source: The option or the variable.
        resource: The resource.
        value: Its name, ARN or URL.
    """

    source: str
    resource: Resource
    value: str

    @property
    def name(self) -> str:
        """The name alone, without the rest of an ARN or a URL, and without an alias."""
        return simple_name(self.resource, self.value)

    @property
    def environment(self) -> str:
        """The environment that the naming rules give such a name; empty for another name."""
        match self.resource:
            case Resource.QUEUE:
                found = re.search(f"{_SUFFIX.pattern}-dead-letters$", self.name)
            case Resource.BUS:
                found = re.fullmatch(f"{BUS}{_SUFFIX.pattern}", self.name)
            case Resource.CALENDAR | Resource.AUDIT:
                table = CALENDAR if self.resource is Resource.CALENDAR else AUDIT
                return next((each for each in ENVIRONMENTS if table_name(table.default, each) == self.name), "")
            case _:
                found = re.search(f"{_SUFFIX.pattern}$", self.name)
        return found[1] if found else ""


def simple_name(resource: Resource, value: str) -> str:
    """Return the name in a name, an ARN or a URL."""
    if resource is Resource.FUNCTION:
        return value.rpartition(":function:")[2].partition(":")[0]
    if resource is Resource.LOG_GROUP:
        return value.removeprefix("/aws/lambda/")
    return value.rstrip("/").rpartition("/")[2]


def find_environment(given: Iterable[Given]) -> str:
    """Return the environment of the first resource whose name has one; empty where none has."""
    return next((each.environment for each in given if each.environment), "")


def check_one_environment(environment: str, given: Iterable[Given], is_own: Callable[[Given], bool]) -> None:
    """Check that no two resources, and no resource and the environment, are of different environments.

    Args:
        environment: The environment that is asked for; another word than those of the stack is not compared.
        given: The resources that options and variables name.
        is_own: Whether the stack of the environment has a resource, in spite of its name; called where they differ.

    Raises:
        UsageError: They are of different environments.
    """
    expected, because = "", ""
    if environment in ENVIRONMENTS:
        expected, because = environment, f"the environment is {environment}"
    for each in given:
        other = each.environment
        if not other:
            continue
        if not expected:
            expected, because = other, f"{each.source} names the {NOUNS[each.resource]} of {other}"
        elif other != expected and not is_own(each):
            raise UsageError(
                f"{each.source} names the {NOUNS[each.resource]} of {other} ({each.name}), but {because}: "
                "environments are not mixed; use --environment, or unset the variables of the other one"
            )
