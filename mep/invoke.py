"""`mep invoke`: one event to a function that runs, in a container or deployed."""

import http.client
import json
import re
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from emulator.environment import INVOCATION_PATH
from mep.errors import UnavailableError, UsageError
from mep.local.jsonl import json_error

DEFAULT_URL = "http://127.0.0.1:9000"

_EMPTY = "an empty answer: did it start? Its log (docker logs) says why not"

# A name, `name:alias`, or any ARN of a function.
_FUNCTION = re.compile(r"(arn:[A-Za-z0-9:_$-]+|[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?)")
_HOST_AND_PORT = re.compile(r"(localhost|[0-9.]+|[^:/]*\.[^:/]+)(:[0-9]+)?(/.*)?")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function answered.

    Attributes:
        body: Its JSON value; where it was no JSON, an error body with the text.
        failed: Whether it is an error: the handler raised, timed out or did not start.
    """

    body: Any
    failed: bool


def check_event(raw: bytes, name: str) -> bytes:
    """Return `raw` if it is JSON.

    Raises:
        UsageError: It is not; `name` says where it came from.
    """
    if (reason := json_error(raw.strip())) is not None:
        raise UsageError(f"{name} is not JSON: {reason}")
    return raw


def invoke(target: str, event: bytes, timeout_s: float) -> Answer:
    """Invoke a function with one event and wait for its answer.

    Args:
        target: A URL (without a path, the emulator's is added), or a deployed function's name or ARN.
        event: JSON.
        timeout_s: Seconds to wait.

    Raises:
        UsageError: `target` is neither.
        UnavailableError: Nobody answers there, or AWS could not be asked: nothing is known of the event.
    """
    if target.startswith(("http://", "https://")):
        return _post(target, event, timeout_s)
    if _HOST_AND_PORT.fullmatch(target):
        raise UsageError(f"{target} has no scheme: http://{target} is meant?")
    if not _FUNCTION.fullmatch(target):
        raise UsageError(f"{target} is neither a URL nor the name or ARN of a function")
    return _invoke_deployed(target, event, timeout_s)


def _post(url: str, event: bytes, timeout_s: float) -> Answer:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from error
    if not parts.hostname:
        raise UsageError(f"{url} names no host: a URL such as http://localhost:9000 is needed")
    path = INVOCATION_PATH if parts.path in {"", "/"} else parts.path
    if parts.query:
        path += f"?{parts.query}"
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    try:
        with closing(connect(parts.hostname, port, timeout=timeout_s)) as connection:
            connection.request("POST", path, event, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return _answer(response.read(), broken=response.status >= http.HTTPStatus.BAD_REQUEST)
    except TimeoutError as error:
        raise UnavailableError(f"no answer from {url} within {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"no function answers at {url}: {error}") from error


def _invoke_deployed(name: str, event: bytes, timeout_s: float) -> Answer:
    from mep.aws import open_aws
    from mep.aws_errors import UnreadableReplyError, asking
    from mep.aws_hosts import authority

    aws = open_aws({"--url": name})
    aws.check_credentials()
    # One attempt: a second one after a lost answer would show the duplicate instead of what happened.
    config = {"read_timeout": timeout_s, "retries": {"mode": "standard", "total_max_attempts": 1}}
    with closing(aws.client("lambda", **config)) as client, asking(f"cannot invoke {name}", client):
        reply = client.invoke(FunctionName=name, Payload=event)
        raw = reply["Payload"].read()
        if "FunctionError" not in reply and json_error(raw) is not None:  # Lambda's answers are JSON
            raise UnreadableReplyError(host=authority(client.meta.endpoint_url), operation="Invoke")
        return _answer(raw, broken="FunctionError" in reply)


def _answer(raw: bytes, *, broken: bool) -> Answer:
    # The emulator answers 200 also for errors: with an error body, or with plain text after a timeout.
    try:
        body = json.loads(raw)
    except ValueError:
        text = " ".join(raw.decode(errors="replace").split())
        return Answer({"errorMessage": text or _EMPTY}, failed=True)
    raised = isinstance(body, dict) and "errorMessage" in body and "outcome" not in body
    return Answer(body, failed=broken or raised)
