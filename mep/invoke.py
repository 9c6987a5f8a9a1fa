"""`mep invoke`: invokes the function with one event, in a container or deployed."""

import http.client
import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from emulator.environment import INVOCATION_PATH
from mep.errors import UnavailableError, UsageError
from mep.local.jsonl import json_error

_EMPTY = "the response is empty: check the container's log (docker logs)"

# A name, `name:alias`, or any ARN of a function.
_FUNCTION = re.compile(r"(arn:[A-Za-z0-9:_$-]+|[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?)")
_HOST_AND_PORT = re.compile(r"(localhost|[0-9.]+|[^:/]*\.[^:/]+)(:[0-9]+)?(/.*)?")


@dataclass(frozen=True, slots=True)
class Response:
    """The response of an invocation.

    Attributes:
        body: The JSON value; for a response that is not JSON, an error object with its text.
        failed: Whether it is an error: the function raised, timed out or did not start.
    """

    body: Any
    failed: bool


def check_event(raw: bytes, name: str) -> bytes:
    """Return `raw` if it is JSON.

    Args:
        raw: The event.
        name: Where it was read from, for the error message.

    Raises:
        UsageError: It is not JSON, or more than one JSON value.
    """
    if (reason := json_error(raw.strip())) is not None:
        if reason.startswith("Extra data"):
            raise UsageError(f"{name} has more than one JSON value: `mep invoke` sends one event")
        raise UsageError(f"{name} is not JSON: {reason}")
    return raw


def invoke(target: str, event: bytes, timeout_s: float) -> Response:
    """Invoke a function synchronously with one event.

    Args:
        target: A URL, or the name or ARN of a deployed function. A URL without a path gets that of the runtime
            interface emulator.
        event: The event as JSON.
        timeout_s: Seconds to wait for the response.

    Raises:
        UsageError: `target` is invalid.
        UnavailableError: There was no response; the outcome of the event is unknown.
    """
    if target.startswith(("http://", "https://")):
        return _post(target, event, timeout_s)
    if _HOST_AND_PORT.fullmatch(target):
        raise UsageError(f"{target} has no scheme: did you mean http://{target}?")
    if not _FUNCTION.fullmatch(target):
        raise UsageError(f"{target} is neither a URL nor the name or ARN of a function")
    return _invoke_deployed(target, event, timeout_s)


def _post(url: str, event: bytes, timeout_s: float) -> Response:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from error
    if not parts.hostname:
        raise UsageError(f"{url} has no host: use a URL such as http://localhost:9000")
    path = INVOCATION_PATH if parts.path in {"", "/"} else parts.path
    if parts.query:
        path += f"?{parts.query}"
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    try:
        with closing(connect(parts.hostname, port, timeout=timeout_s)) as connection:
            connection.request("POST", path, event, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return _response(response.read(), broken=response.status >= http.HTTPStatus.BAD_REQUEST)
    except TimeoutError as error:
        raise UnavailableError(f"no response from {url} within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"no function responds at {url}: {error}") from error


def _invoke_deployed(name: str, event: bytes, timeout_s: float) -> Response:
    from mep.aws import open_aws
    from mep.aws_errors import UnreadableReplyError, aws_errors
    from mep.aws_hosts import authority

    aws = open_aws({"--url": name})
    aws.check_credentials()
    # One attempt: a second one after a lost response would return the duplicate's outcome.
    config = {"read_timeout": timeout_s, "retries": {"mode": "standard", "total_max_attempts": 1}}
    with closing(aws.client("lambda", **config)) as client, aws_errors(f"cannot invoke {name}", client):
        response = client.invoke(FunctionName=name, Payload=event)
        raw = response["Payload"].read()
        if not _is_from_lambda(response, raw):
            raise UnreadableReplyError(host=authority(client.meta.endpoint_url), operation="Invoke")
        return _response(raw, broken="FunctionError" in response)


def _is_from_lambda(response: Mapping[str, Any], raw: bytes) -> bool:
    """Return whether a function has answered, and not another server: with the version that ran, or with an outcome."""
    if "FunctionError" in response:
        return True
    if json_error(raw) is not None:  # Lambda's responses are JSON
        return False
    # Emulators may leave the version out.
    return "ExecutedVersion" in response or "outcome" in (body if isinstance(body := json.loads(raw), dict) else ())


def _response(raw: bytes, *, broken: bool) -> Response:
    # The runtime interface emulator uses status 200 for errors, too: with an error object, or with text on a timeout.
    try:
        body = json.loads(raw)
    except ValueError:
        text = " ".join(raw.decode(errors="replace").split())
        return Response({"errorMessage": text or _EMPTY}, failed=True)
    raised = isinstance(body, dict) and "errorMessage" in body and "outcome" not in body
    return Response(body, failed=broken or raised)
