"""The names of an environment's resources: the outputs of its stack, else the naming rules."""

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from handler.contract import FUNCTION_NAME
from mep.aws import AwsClients
from mep.aws_errors import aws_errors
from mep.errors import MepError, UsageError
from mep.stack.naming import FUNCTION_VARIABLE, Resource, simple_name
from monitoring.names import ENVIRONMENTS, PREFIX, StackNames

_FILES = Path(__file__).parents[2] / "deploy" / "environments"
"""The files of the environments, where the program runs in a checkout."""

_NO_SUCH_STACK = "ValidationError"
_BY_RULE = {Resource.FUNCTION, Resource.LOG_GROUP}
"""What has the name of the stack in every deployment: the stack need not be asked."""


def check_environment(source: str, environment: str) -> None:
    """Check that an environment is one of the stack's.

    Args:
        source: The option or the argument that names it.
        environment: Its name.

    Raises:
        UsageError: It is not.
    """
    if environment not in ENVIRONMENTS:
        choice = f"{', '.join(ENVIRONMENTS[:-1])} or {ENVIRONMENTS[-1]}"
        local = "; with `mep local --keep`, give --run DIR" if environment == "local" else ""
        raise UsageError(f"{source} {environment}: must be {choice}{local}")


def stack_names(environment: str, prefix: str | None = None, environ: Mapping[str, str] | None = None) -> StackNames:
    """Return the names that follow from an environment and a prefix.

    Args:
        environment: The environment.
        prefix: The prefix; if None, that of the function's name in the variables, else that of the environment's file
            in a checkout, else the default.
        environ: The environment variables; `os.environ` if None.
    """
    environ = os.environ if environ is None else environ
    return StackNames(environment, prefix or _prefix_of_function(environ, environment) or _prefix_of(environment))


def _prefix_of_function(environ: Mapping[str, str], environment: str) -> str:
    """Return the prefix of the stack whose function `mep env` has set; empty for a function of another environment."""
    name = simple_name(Resource.FUNCTION, environ.get(FUNCTION_VARIABLE, "").strip())
    prefix = name.removesuffix(f"-{environment}")
    return prefix if prefix != name and re.fullmatch(PREFIX, prefix) else ""


def _prefix_of(environment: str) -> str:
    if environment not in ENVIRONMENTS:
        return FUNCTION_NAME
    try:
        values = json.loads((_FILES / f"{environment}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return FUNCTION_NAME
    prefix = values.get("prefix") if isinstance(values, dict) else None
    return prefix if isinstance(prefix, str) and prefix else FUNCTION_NAME


class StackResources:
    """Finds the names of an environment's resources. The stack is asked once, when the first name is needed.

    Args:
        aws: The boto3 clients.
        names: The names that follow from the environment.
        warn: Called with the reason why the naming rules are used: with each reason once.
    """

    def __init__(self, aws: AwsClients, names: StackNames, warn: Callable[[str], None] = lambda _: None) -> None:
        self._aws = aws
        self.names = names
        self._warn = warn
        self._reasons: set[str] = set()

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack; empty if there is no such stack, or where it would be AWS's beside an emulator.

        Raises:
            MepError: The stack cannot be asked.
        """
        if self._aws.emulated and not self._aws.is_allowed("cloudformation"):
            return {}
        found = self._describe()
        if not found:
            self._warn(
                f"there is no stack {self.names.name} with outputs in {self._aws.region}: "
                "the names are those of the naming rules"
            )
        return found

    def name(self, resource: Resource) -> str:
        """Return the name of a resource; the URL of the queue.

        Raises:
            MepError: The stack, or the queue, cannot be asked.
        """
        if resource in _BY_RULE:
            return by_rule(self.names, resource)
        if value := self.outputs.get(resource):
            return value
        return self._queue_url() if resource is Resource.QUEUE else by_rule(self.names, resource)

    def name_or_rule(self, resource: Resource) -> str:
        """Return the name of a resource; where the stack cannot be asked, the name by rule, which is reported."""
        try:
            return self.name(resource)
        except MepError as error:
            name = by_rule(self.names, resource)
            reason = "" if str(error) in self._reasons else f"{error}; "
            self._reasons.add(str(error))
            self._warn(f"{reason}{name} is the name by the naming rules")
            return name

    def _queue_url(self) -> str:
        client, name = self._aws.client("sqs"), by_rule(self.names, Resource.QUEUE)
        with aws_errors(f"the queue {name} cannot be found", client):
            return str(client.get_queue_url(QueueName=name)["QueueUrl"])

    def _describe(self) -> Mapping[str, str]:
        self._aws.check_credentials()
        client, what = self._aws.client("cloudformation"), f"the stack {self.names.name} cannot be asked"
        with aws_errors(what, client):
            try:
                stacks: list[dict[str, Any]] = client.describe_stacks(StackName=self.names.name)["Stacks"]
            except ClientError as error:
                values: Any = error.response.get("Error", {})
                if values.get("Code") == _NO_SUCH_STACK and "does not exist" in str(values.get("Message")):
                    return {}
                raise
        found = stacks[0].get("Outputs", []) if stacks else []
        return {each["OutputKey"]: each["OutputValue"] for each in found}


def by_rule(names: StackNames, resource: Resource) -> str:
    """Return the name that the naming rules give to a resource; the name of the queue."""
    match resource:
        case Resource.QUEUE:
            return names.dead_letter_queue
        case Resource.BUS:
            return names.bus
        case Resource.CALENDAR:
            return names.calendar_table
        case Resource.AUDIT:
            return names.audit_table
        case Resource.FUNCTION:
            return names.name
        case Resource.LOG_GROUP:
            return names.log_group
