"""A fake AWS account on loopback: one HTTP server for all services, with the wire formats that AWS documents."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote

from emulator.http_server import LoopbackServer, QuietHandler

_REST_PATHS = {"/TraceSummaries": "GetTraceSummaries", "/Traces": "BatchGetTraces"}
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


class Call(NamedTuple):
    """One API call.

    Attributes:
        operation: The operation; `Invoke` for a REST path that is not known.
        parameters: The request as JSON; None where the body is not JSON.
        region: The region of the signature; empty for an unsigned call, such as those of a login.
        service: The service of the signature; empty for an unsigned call.
        user_agent: The user agent.
        trace_header: X-Ray's header; empty for none.
        path: The path of the URL, decoded.
        access_key: The access key of the signature; empty for an unsigned call.
    """

    operation: str
    parameters: Any
    region: str
    service: str
    user_agent: str
    trace_header: str = ""
    path: str = ""
    access_key: str = ""


class Reply(NamedTuple):
    """A response.

    Attributes:
        status: The HTTP status; 0 closes the connection without a response.
        body: The body.
        error: The error code for the header; empty for none.
        function_error: The kind of error of an invoked function, for the header; empty for none.
    """

    status: int
    body: bytes
    error: str = ""
    function_error: str = ""


def ok(**members: Any) -> Reply:
    """Return a successful response with these members."""
    return Reply(200, json.dumps(members).encode())


def stack(**outputs: str) -> Reply:
    """Return CloudFormation's response to DescribeStacks for a stack with these outputs."""
    members = "".join(
        f"<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
        for key, value in outputs.items()
    )
    described = f"<member><StackName>s</StackName><Outputs>{members}</Outputs></member>"
    result = f"<DescribeStacksResult><Stacks>{described}</Stacks></DescribeStacksResult>"
    return Reply(200, f"<DescribeStacksResponse>{result}</DescribeStacksResponse>".encode())


def xml_error(code: str, message: str, status: int = 400) -> Reply:
    """Return an error response of a service that answers in XML, such as CloudFormation."""
    described = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, f"<ErrorResponse>{described}</ErrorResponse>".encode())


def no_stack(name: str) -> Reply:
    """Return CloudFormation's response to DescribeStacks where there is no such stack."""
    return xml_error("ValidationError", f"Stack with id {name} does not exist")


def error(code: str, message: str, status: int = 400) -> Reply:
    """Return an error response."""
    return Reply(status, json.dumps({"__type": f"com.amazonaws#{code}", "message": message}).encode(), code)


@contextmanager
def serving(respond: Callable[[Call], Reply]) -> Iterator[str]:
    """Yield the URL of a server that answers each call with `respond`, for `AWS_ENDPOINT_URL`."""
    with LoopbackServer(_Handler, respond_to=staticmethod(respond)) as server:
        yield server.url


class _Handler(QuietHandler):
    respond_to: Callable[[Call], Reply]

    def do_POST(self) -> None:
        body = self.read_body()
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or _REST_PATHS.get(self.path, "")
        if not operation:
            action = re.search(rb"Action=(\w+)", body)
            operation = action[1].decode() if action else "Invoke"
        try:
            parameters = json.loads(body)
        except ValueError:
            parameters = None
        scope = _SCOPE.search(self.headers["Authorization"] or "")
        access_key, region, service = scope.groups() if scope else ("", "", "")
        trace_header = self.headers.get("X-Amzn-Trace-Id", "")
        agent, path = self.headers["User-Agent"], unquote(self.path)
        call = Call(operation, parameters, region, service, agent, trace_header, path, access_key)
        reply = self.respond_to(call)
        if not reply.status:
            self.close_connection = True
            return
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        if reply.error:
            headers["x-amzn-ErrorType"] = reply.error
        if reply.function_error:
            headers["X-Amz-Function-Error"] = reply.function_error
        self.respond(reply.status, reply.body, headers)

    do_GET = do_POST  # the credentials of a role by IAM Identity Center
