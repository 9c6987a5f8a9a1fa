"""The AWS CLI commands of a page, as calls of the API."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

VARIABLES: Mapping[str, str] = {
    "ENVIRONMENT": "prod",
    "NAME": "mark-earnings-processed-prod",
    "EARNINGS_CALENDAR_TABLE": "earningsCalendar",
    "EARNINGS_AUDIT_TABLE": "earningsAudit",
    "EVENT_BUS_NAME": "earnings-prod",
    "BACKUP_ARN": "arn:aws:dynamodb:us-east-1:111122223333:table/earningsCalendar/backup/01600000000000-12345678",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/111122223333/mark-earnings-processed-prod-dead-letters",
}
"""The shell variables of the pages, in prod."""

_SERVICES = {"deploy": "codedeploy"}
"""The CLI's name of a service to botocore's, where they differ."""
_OF_THE_CLI = {"query", "output", "max-items"}
_POSITIONAL = {("lambda", "invoke")}
_COMMAND = re.compile(r"`((?:step )?aws [^`]+)`|^ {4,}((?:step )?aws (?:.*\\\n)*.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CliCommand:
    """A command as a call.

    Attributes:
        service: botocore's name of the service.
        operation: The operation of the API; of a waiter, the operation that it polls.
        parameters: Its parameters.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]


def texts(page: str) -> Iterator[str]:
    """Yield the AWS CLI commands of a page, each on one line."""
    for inline, block in _COMMAND.findall(page):
        yield " ".join((inline or block).replace("\\\n", " ").split()).removeprefix("step ")


def expand(text: str, variables: Mapping[str, str] = VARIABLES) -> str:
    """Return a command with its shell variables replaced; one that is not known stays."""
    text = text.replace("-processed-ENVIRONMENT", "-processed-prod")
    return re.sub(r"\$\{?([A-Z_]+)(?:##\*/\})?", lambda match: variables.get(match[1], match[0]), text)


def parse(text: str, variables: Mapping[str, str] = VARIABLES) -> CliCommand:
    """Parse a command as the AWS CLI does.

    Raises:
        ValueError: There is no such operation or option, a value is invalid or a required option is missing.
    """
    _, name, command, *words = shlex.split(expand(text, variables))
    if (name, command) == ("logs", "tail"):  # of the CLI, not of the API
        return CliCommand("logs", "FilterLogEvents", {"logGroupName": words[0]})
    service = _SERVICES.get(name, name)
    if command == "wait":
        command, words = _polled(service, words[0]), words[1:]
    operations = {xform_name(each, "-"): each for each in _model(service).operation_names}
    if command not in operations:
        raise ValueError(f"no such operation: {service} {command}")
    shape = _model(service).operation_model(operations[command]).input_shape
    members = {} if shape is None else {xform_name(each, "-"): each for each in shape.members}
    if (name, command) in _POSITIONAL:
        words = words[:-1]
    parameters = {}
    for option, values in _options(words):
        if option in _OF_THE_CLI:
            if option == "query":
                jmespath.compile(values[0])
        elif shape is None or option.removeprefix("no-") not in members:
            raise ValueError(f"no such option: {service} {command} --{option}")
        else:
            member = members[option.removeprefix("no-")]
            flag = not option.startswith("no-")
            parameters[member] = _value(shape.members[member], values) if values else flag
    if shape is not None and (report := ParamValidator().validate(parameters, shape)).has_errors():
        raise ValueError(f"{service} {command}: {report.generate_report()}")
    return CliCommand(service, operations[command], parameters)


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def _polled(service: str, waiter: str) -> str:
    waiters = botocore.session.get_session().get_waiter_model(service)
    names = {xform_name(name, "-"): name for name in waiters.waiter_names}
    return xform_name(waiters.get_waiter(names[waiter]).operation, "-")


def _options(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    option, values = "", list[str]()
    for word in words:
        if word.startswith("--"):
            if option:
                yield option, values
            option, values = word.removeprefix("--"), []
        else:
            values.append(word)
    if option:
        yield option, values


def _value(shape: Shape, values: Sequence[str]) -> Any:
    text = values[0]
    match shape:
        case StructureShape() | MapShape() if text.startswith("{"):
            return json.loads(text)
        case StructureShape():
            pairs = (pair.partition("=") for pair in text.split(","))
            return {key: _value(shape.members[key], [value]) for key, _, value in pairs}
        case ListShape():
            return json.loads(text) if text.startswith("[") else [_value(shape.member, [each]) for each in values]
    if shape.type_name in {"integer", "long"}:
        return int(text)
    return text == "true" if shape.type_name == "boolean" else text
