"""The AWS CLI commands of docs/first-hour.md, and of the log of a bus in docs/deploy.md, exist, with these options."""

import re
import shlex
from collections.abc import Iterator
from functools import cache

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.model import ServiceModel

from emulator.environment import PROJECT_ROOT

_COMMAND = re.compile(r"`(aws [^`]+)`|^    (aws (?:.*\\\n)*.*)$", re.MULTILINE)
_TIMES = "--start-time 1 --end-time 2"
_OF_THE_COMMAND_LINE = {"query", "output"}


def commands() -> Iterator[str]:
    """Yield the commands of the page, and those that turn on the log of a bus."""
    text = (PROJECT_ROOT / "docs" / "first-hour.md").read_text()
    text += (
        (PROJECT_ROOT / "docs" / "deploy.md").read_text().partition("## The log of the bus")[2].partition("\n## ")[0]
    )
    for inline, block in _COMMAND.findall(text):
        yield (inline or block).replace("\\\n", "").replace("$TIMES", _TIMES)


@cache
def model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def wrong_in(command: str) -> list[str]:
    """Return what AWS's command line would not understand."""
    _, service, operation, *rest = shlex.split(command)
    operations = {xform_name(name, "-"): name for name in model(service).operation_names}
    if operation not in operations:
        return [operation]
    shape = model(service).operation_model(operations[operation]).input_shape
    members = {} if shape is None else {xform_name(name, "-"): name for name in shape.members}
    options = {word.removeprefix("--") for word in rest if word.startswith("--")}
    if "--query" in rest:
        jmespath.compile(rest[rest.index("--query") + 1])
    required = {xform_name(name, "-") for name in (shape.required_members if shape else ())}
    return sorted((options - members.keys() - _OF_THE_COMMAND_LINE) | (required - options))


@pytest.mark.parametrize("command", list(commands()))
def test_the_command_is_right(command: str) -> None:
    assert wrong_in(command) == []


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("aws xray batch-get-trace --trace-ids 1", ["batch-get-trace"]),
        ("aws xray batch-get-traces --ids 1", ["ids", "trace-ids"]),
    ],
)
def test_a_mistake_is_seen(command: str, wrong: list[str]) -> None:
    assert wrong_in(command) == wrong
