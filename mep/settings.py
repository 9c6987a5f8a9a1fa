"""The settings of the commands that call AWS: options, environment variables, then the names of the environment."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from handler.contract import AUDIT, CALENDAR
from mep.aws import AwsClients, open_aws
from mep.errors import AwsUnavailableError, MepError, Problem, UsageError
from mep.stack.naming import Given, Resource, check_one_environment, find_environment, simple_name
from mep.stack.resources import StackResources, by_rule, check_environment, stack_names
from monitoring.names import ENVIRONMENTS, StackNames

QUEUE_VARIABLE = "DEAD_LETTER_QUEUE_URL"
BUS_VARIABLE = "EVENT_BUS_NAME"
ENVIRONMENT_VARIABLE = "ENVIRONMENT"
_QUEUE_URL = re.compile(r"https?://[^/\s]+/\S+")
_TABLES = {Resource.CALENDAR: CALENDAR, Resource.AUDIT: AUDIT}
_SERVICES = {
    Resource.QUEUE: "sqs",
    Resource.BUS: "events",
    Resource.CALENDAR: "dynamodb",
    Resource.AUDIT: "dynamodb",
    Resource.FUNCTION: "lambda",
    Resource.LOG_GROUP: "logs",
}
_LOCAL = "dev"
"""The environment beside an emulator, where none is given."""

_NO_ENVIRONMENT = (
    f"--environment is not given: {', '.join(ENVIRONMENTS[:-1])} or {ENVIRONMENTS[-1]} (or set {ENVIRONMENT_VARIABLE})"
)
_NOT_SET = {
    Resource.QUEUE: f"{QUEUE_VARIABLE} is not set: use --environment, set it to the queue's URL, or use --queue-url",
    Resource.BUS: f"no destination: use --bus NAME (or {BUS_VARIABLE}, or --environment) to put the events onto the "
    "bus again, or --function NAME to invoke only the function",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The resources of one environment; the name of one that a command does not need may be empty.

    Attributes:
        aws: The boto3 clients.
        environment: The environment; the dimension of its metrics.
        names: The names that the stack gives.
        queue_url: The dead-letter queue.
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
        bus: Name of the event bus.
        queue_problem: Why the queue is not known; None where it is, or was not looked for.
    """

    aws: AwsClients
    environment: str
    names: StackNames
    queue_url: str = ""
    calendar_table: str = ""
    audit_table: str = ""
    bus: str = ""
    queue_problem: Problem | None = None

    @property
    def function_name(self) -> str:
        """The name that the stack gives to the function."""
        return self.names.name


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    environment: str | None = None,
    needs: Collection[Resource] = (),
    given: Iterable[Given] = (),
    queue_url: str | None = None,
    partial: bool = False,
    warn: Callable[[str], None] = lambda _: None,
) -> Settings:
    """Read the settings. What is needed and not given is an output of the environment's stack, else by naming rule.

    Args:
        environ: The environment variables; `os.environ` if None.
        environment: The option; the variable `ENVIRONMENT` if None.
        needs: The resources that the command uses.
        given: Further resources that options name.
        queue_url: The option; overrides `DEAD_LETTER_QUEUE_URL` and every variable for the endpoint of SQS.
        partial: Whether the command goes on where names cannot be looked up: with those of the naming rules.
        warn: Called with what is uncertain about the names.

    Raises:
        UsageError: A setting is missing or invalid, or resources are of different environments; the message names it
            and says what to do.
        UnavailableError: A name cannot be looked up.
    """
    environ = os.environ if environ is None else environ
    known = {each.resource: each for each in (*_from_variables(environ, needs, queue_url), *given)}
    word = _strip(environment if environment is not None else environ.get(ENVIRONMENT_VARIABLE))
    chosen = word or find_environment(known.values())
    missing = [resource for resource in needs if resource not in known]
    try:
        aws = open_aws({each.source: each.value for each in known.values()}, environ)
    except UsageError as error:
        if missing and not chosen and not _has_endpoint(environ):
            raise UsageError(f"{error}; {_NO_ENVIRONMENT}") from error  # both at once
        raise
    can_ask = aws.credentials_problem is None
    if can_ask and Resource.QUEUE in known:
        aws.use_queue(known[Resource.QUEUE].value, is_option=bool(queue_url))
    emulated = _is_emulated(aws, needs) if can_ask and (missing or not chosen) else bool(aws.emulated)
    if can_ask and not emulated:
        _check_environment(chosen, missing, needs)
    resources = StackResources(aws, stack_names(chosen or _LOCAL, environ=environ), warn)
    check_one_environment(word, known.values(), lambda each: can_ask and _is_output(resources, each))
    if emulated and chosen not in ENVIRONMENTS:
        found, problem = {each: _local_name(resources.names, each, optional=partial) for each in missing}, None
    else:
        found, problem = _look_up(resources, missing, partial=partial)
    values = {resource: each.value for resource, each in known.items()} | found
    return Settings(
        aws,
        chosen or _LOCAL,
        resources.names,
        queue_url=values.get(Resource.QUEUE, ""),
        calendar_table=values.get(Resource.CALENDAR, ""),
        audit_table=values.get(Resource.AUDIT, ""),
        bus=values.get(Resource.BUS, ""),
        queue_problem=problem,
    )


def _has_endpoint(environ: Mapping[str, str]) -> bool:
    """Return whether a variable names an endpoint: it may be an emulator's, for which no environment is needed."""
    return any(name.startswith("AWS_ENDPOINT_URL") and value for name, value in environ.items())


def _is_emulated(aws: AwsClients, needs: Collection[Resource]) -> bool:
    """Return whether an emulator is used: that of the queue, if its URL is known, else that of a needed service."""
    if aws.emulated is not None:
        return aws.emulated
    return aws.prefer_emulator({_SERVICES[resource] for resource in needs})


def _check_environment(environment: str, missing: Collection[Resource], needs: Collection[Resource]) -> None:
    """Check the environment of a command that calls AWS.

    Raises:
        UsageError: It is not given, or no environment of the stack although names follow from it.
    """
    if not environment and (missing or Resource.QUEUE in needs):
        raise UsageError(_NO_ENVIRONMENT)
    if missing:
        check_environment("--environment", environment)


def _look_up(
    resources: StackResources, missing: Iterable[Resource], *, partial: bool
) -> tuple[dict[Resource, str], Problem | None]:
    """Return the names of resources, and why the queue's URL is not known.

    Raises:
        MepError: A name cannot be looked up, and the command does not go on without it.
    """
    found: dict[Resource, str] = {}
    problem: Problem | None = None
    for resource in missing:
        if partial and resource is not Resource.QUEUE:
            found[resource] = resources.name_or_rule(resource)
            continue
        try:
            found[resource] = resources.name(resource)
        except AwsUnavailableError as error:
            if not partial:
                raise
            found[resource], problem = "", error.problem  # by rule there is no URL: it has the account
    return found, problem


def _from_variables(environ: Mapping[str, str], needs: Collection[Resource], queue_url: str | None) -> list[Given]:
    """Return the resources that variables, and the option of the queue, name.

    Raises:
        UsageError: The queue's URL is invalid.
    """
    given = []
    source = "--queue-url" if queue_url else QUEUE_VARIABLE
    if Resource.QUEUE in needs and (url := _strip(queue_url or environ.get(QUEUE_VARIABLE))):
        if not _is_queue_url(url):
            raise UsageError(f"{source} must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
        given.append(Given(source, Resource.QUEUE, url))
    for resource, table in _TABLES.items():
        if resource in needs and (name := _strip(environ.get(table.variable))):
            given.append(Given(table.variable, resource, name))
    return given


def _is_output(resources: StackResources, given: Given) -> bool:
    """Return whether a resource is the one in the stack's outputs; not where the stack cannot be asked."""
    with suppress(MepError):
        return simple_name(given.resource, resources.outputs.get(given.resource, "")) == given.name
    return False


def _local_name(names: StackNames, resource: Resource, *, optional: bool) -> str:
    """Return the name of a resource beside an emulator without a stack: that of `mep local`.

    Raises:
        UsageError: It has no default.
    """
    if resource in _TABLES:
        return _TABLES[resource].default
    if resource in _NOT_SET and not optional:
        raise UsageError(_NOT_SET[resource])
    return "" if resource in _NOT_SET else by_rule(names, resource)


def _strip(text: str | None) -> str:
    return (text or "").strip()


def _is_queue_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(_QUEUE_URL.fullmatch(url) and parts.hostname and parts.port != 0)
    except ValueError:  # an invalid port, or an unclosed bracket
        return False
