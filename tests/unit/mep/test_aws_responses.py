"""A response with a success status that another server has sent is refused, for every operation of the commands."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import botocore.session
import pytest
from botocore import xform_name
from botocore.parsers import create_parser

from emulator.environment import PROJECT_ROOT
from mep.aws_errors import UnreadableReplyError, check_response
from tests.support.tree import project_files

SERVICES = ("cloudformation", "cloudwatch", "dynamodb", "events", "lambda", "logs", "sns", "sqs", "sts", "xray")
STREAMED = {"Invoke"}
"""Their response is the function's own: `mep invoke` and the destinations of a redrive check it."""

OTHERS = {
    "a page": b"<html><body>Please log in to the network</body></html>",
    "XML": b"<other><name>value</name></other>",
    "another API": b'{"error": "who are you?", "code": 200}',
    "a list": b'["hello"]',
    "a text": b'"hello"',
    "nothing": b"null",
}


class Response(NamedTuple):
    """What botocore's event has of an HTTP response."""

    content: bytes
    status_code: int = 200
    url: str = "http://127.0.0.1:1/"


def called() -> Iterator[Any]:
    """The models of the operations that the commands and the automatic redrive call, by their names in the sources."""
    paths = [path for package in ("mep", "redriver") for path in project_files(PROJECT_ROOT, f"{package}/*.py")]
    source = "\n".join(path.read_text() for path in paths)
    named = {*re.findall(r"\.([a-z_]+)\(", source), *re.findall(r"paginator\(\"([a-z_]+)\"\)", source), "query", "scan"}
    session = botocore.session.Session()
    for service in SERVICES:
        model = session.get_service_model(service)
        yield from (model.operation_model(name) for name in model.operation_names if xform_name(name) in named)


CALLED = {model.name: model for model in called() if model.name not in STREAMED}


def is_taken(model: Any, content: bytes) -> bool:
    """Whether neither botocore nor the commands refuse a response."""
    parser = create_parser(model.service_model.resolved_protocol)
    response = {"body": content, "headers": {}, "status_code": 200}
    try:
        parsed = parser.parse(response, model.output_shape)
    except Exception:
        return False
    try:
        check_response(Response(content), parsed, model)
    except UnreadableReplyError:
        return False
    return True


@pytest.mark.parametrize("body", OTHERS)
def test_another_servers_answer_is_none_of_aws(body: str) -> None:
    assert [name for name, model in CALLED.items() if is_taken(model, OTHERS[body])] == []


def test_the_search_finds_the_calls() -> None:
    assert {"GetItem", "Scan", "TransactWriteItems", "DeleteMessage", "DescribeRule", "DescribeStacks"} <= {*CALLED}
    assert {"AssumeRole", "GetFunctionConcurrency", "GetMetricData", "ListSubscriptionsByTopic"} <= {*CALLED}


@pytest.mark.parametrize(
    "name", ["GetItem", "TransactWriteItems", "PutItem", "ReceiveMessage", "GetFunctionConcurrency"]
)
def test_an_empty_object_is_an_answer(name: str) -> None:
    assert is_taken(CALLED[name], b"{}")


@pytest.mark.parametrize("content", [b"", b"{}"])
def test_so_is_nothing_where_there_is_nothing_to_return(content: bytes) -> None:
    assert is_taken(CALLED["DeleteMessage"], content)


def test_so_is_a_member_that_boto3_does_not_know_yet_beside_others() -> None:
    assert is_taken(CALLED["GetItem"], b'{"Item": {"a": {"S": "b"}}, "OfNextYear": 1}')
