"""Translates a failed AWS call into one line: why it failed, and what to do about it.

botocore has some eighty exceptions, and lets others pass: a response that is not JSON, a `credential_process` that is
not installed. All of them mean that the state of a service is unknown, which is never the same as an empty result.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from traceback import walk_tb
from typing import Any

from botocore import exceptions as boto

from handler.classification import classify_exception, classify_response
from handler.errors import ErrorCategory
from mep.aws_advice import NOT_AWS, credentials_advice, network_advice, response_advice
from mep.aws_hosts import authority
from mep.errors import CREDENTIAL_REASONS, Problem, Reason, error_for
from mep.text import escape_control, one_line

_MAX_MESSAGE = 300
_MAX_CODE = 100
_OVERLOADED = {500, 502, 503, 504}
_FATAL = CREDENTIAL_REASONS | {Reason.ACCESS_DENIED, Reason.NOT_FOUND, Reason.SETTING}

_REQUIRED_MEMBERS = {
    "GetQueueAttributes": "Attributes",
    "StartQuery": "queryId",
    "GetQueryResults": "status",
    "Query": "Items",
    "Scan": "Items",
    "GetTraceSummaries": "TraceSummaries",
    "BatchGetTraces": "Traces",
    "ListRules": "Rules",
    "ListTargetsByRule": "Targets",
    "TestEventPattern": "Result",
    "PutEvents": "Entries",
    "GetMetricData": "MetricDataResults",
    "ListSubscriptionsByTopic": "Subscriptions",
    "DescribeStacks": "Stacks",
    "GetQueueUrl": "QueueUrl",
    "DescribeAlarmHistory": "AlarmHistoryItems",
    "DescribeEventBus": "Arn",
    "DescribeRule": "Arn",
    "GetCallerIdentity": "Arn",
    "AssumeRole": "Credentials",
}
"""A member that each response has. botocore parses a proxy's page with status 200 as a response without members."""


class UnreadableReplyError(boto.BotoCoreError):
    """A response with a success status that is not AWS's: another server's page, or a required member is missing."""

    fmt = "{host} answered {operation}, but not as AWS does"


# The first entry that matches an exception decides.
_EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], Reason], ...] = (
    ((boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.TokenRetrievalError), Reason.EXPIRED_CREDENTIALS),
    ((boto.LoginRefreshRequired, boto.LoginTokenLoadError), Reason.EXPIRED_CREDENTIALS),
    ((boto.PartialCredentialsError,), Reason.INVALID_CREDENTIALS),
    ((boto.NoCredentialsError, boto.CredentialRetrievalError, boto.MetadataRetrievalError), Reason.NO_CREDENTIALS),
    ((boto.SSOError, boto.LoginError, boto.NoAuthTokenError, boto.InvalidIMDSEndpointError), Reason.NO_CREDENTIALS),
    ((boto.RefreshWithMFAUnsupportedError, boto.InfiniteLoopConfigError), Reason.NO_CREDENTIALS),
    ((boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError), Reason.NETWORK),
    ((UnreadableReplyError,), Reason.UNREADABLE_REPLY),
)
# Exceptions whose text quotes only names of settings; others may quote what a credential_process printed.
_HARMLESS = (boto.InvalidConfigError, boto.MissingDependencyException, boto.MetadataRetrievalError)
_CREDENTIAL_MODULES = frozenset({"botocore.credentials", "botocore.tokens"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_DENIED = ("AccessDenied", "Kms", "KMS", "NotAuthorized", "Unauthorized", "AuthorizationError", "OptInRequired")
_NOT_FOUND = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "QueueDeletedRecently"})
_BY_CATEGORY = {
    ErrorCategory.THROTTLING: Reason.THROTTLED,
    ErrorCategory.NETWORK: Reason.NETWORK,
    ErrorCategory.CONFLICT: Reason.SERVICE_ERROR,
    ErrorCategory.DYNAMODB: Reason.SERVICE_ERROR,
    ErrorCategory.ACCESS_DENIED: Reason.INVALID_CREDENTIALS,
}


@contextmanager
def aws_errors(what: str, client: Any, *, rejected: type[Exception] | None = None) -> Iterator[None]:
    """Translate every error of the AWS calls inside into an error of one line.

    Args:
        what: The beginning of the line: what cannot be used.
        client: The client that is called inside.
        rejected: Raised for a failure that concerns this call only; None to raise `UnavailableError` for those, too.

    Raises:
        UnavailableError: A call failed.
        UsageError: A boto3 setting is invalid.
    """
    try:
        yield
    except Exception as error:
        problem = explain(error, client)
        if problem is None:
            raise
        if rejected is not None and problem.reason not in _FATAL:
            raise rejected(str(problem)) from error
        raise error_for(what, problem) from error


def explain(error: Exception, client: Any = None) -> Problem | None:
    """Return what an error of an AWS call means.

    Args:
        error: The exception that the call raised.
        client: The client that was called; None while credentials are resolved, before there is one.

    Returns:
        None where the error is not about AWS, but a defect of this program.
    """
    host = authority(client.meta.endpoint_url) if client is not None else ""
    if isinstance(error, boto.ClientError):
        return _from_response(error, client, host)
    for kinds, reason in _EXCEPTIONS:
        if isinstance(error, kinds):
            return _from_exception(error, reason, host)
    if any(frame.f_globals.get("__name__") in _CREDENTIAL_MODULES for frame, _ in walk_tb(error.__traceback__)):
        # botocore has no exception for a credential_process that does not start, prints no JSON or prints expired
        # credentials; the texts of what it raises may quote the output.
        expired = isinstance(error, RuntimeError) and "expired" in str(error)
        return _from_exception(error, Reason.EXPIRED_CREDENTIALS if expired else Reason.NO_CREDENTIALS, host)
    if isinstance(error, boto.BotoCoreError):
        text = f"boto3 rejects the call: {_safe_line(error)}"
        return Problem(Reason.SETTING, text, code=type(error).__name__, host=host)
    if classify_exception(error) is ErrorCategory.DYNAMODB:  # botocore could not parse the response
        text = f"{host} answered, but not as AWS does"
        return Problem(Reason.UNREADABLE_REPLY, text, NOT_AWS, type(error).__name__, host=host)
    return None


def check_response(http_response: Any, parsed: dict[str, Any] | None, model: Any, **_: Any) -> None:
    """Add the host to a response, and raise for a success that is not AWS's. A handler of botocore's `after-call`."""
    host = authority(http_response.url)
    if parsed is None:  # the JSON value `null`
        raise UnreadableReplyError(host=host, operation=model.name)
    parsed.setdefault("ResponseMetadata", {})["Host"] = host
    # botocore raises for other statuses.
    if http_response.status_code >= HTTPStatus.MULTIPLE_CHOICES or model.has_streaming_output:
        return
    member = _REQUIRED_MEMBERS.get(model.name)
    if not _is_aws_response(http_response.content, parsed, model) or (member is not None and member not in parsed):
        raise UnreadableReplyError(host=host, operation=model.name)


def _is_aws_response(content: bytes, parsed: Mapping[str, Any], model: Any) -> bool:
    if model.service_model.resolved_protocol not in {"json", "rest-json"}:
        return True
    if not content:
        return not (model.output_shape and model.output_shape.members)
    try:
        document = json.loads(content)
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    # Of another API's object, botocore has parsed nothing. AWS itself answers some operations with `{}`.
    return parsed.keys() > {"ResponseMetadata"} or all(value is None for value in document.values())


def _from_exception(error: Exception, reason: Reason, host: str) -> Problem:
    values: dict[str, Any] = getattr(error, "kwargs", {})
    host = authority(str(values.get("endpoint_url") or values.get("proxy_url") or "")) or host
    code = type(error).__name__
    match reason:
        case Reason.NETWORK if isinstance(cause := values.get("error"), ValueError):
            # Its text quotes the header, which may be the session token.
            is_header = str(cause).startswith("Invalid header")
            name = "a credential" if is_header else "a proxy (HTTPS_PROXY, HTTP_PROXY) or an endpoint"
            return Problem(Reason.SETTING, f"the value of {name} cannot be used", code=code, host=host)
        case Reason.NETWORK:
            return Problem(reason, _network_text(error, host), network_advice(error), code, host=host)
        case Reason.UNREADABLE_REPLY:
            return Problem(reason, _safe_line(error), NOT_AWS, code, str(values["operation"]), str(values["host"]))
        case Reason.EXPIRED_CREDENTIALS:
            text = "there is no valid login: the session has expired, or was never started"
            if isinstance(error, RuntimeError):
                text = "the AWS credentials have expired"
        case Reason.INVALID_CREDENTIALS:
            text = f"the credentials are incomplete: {_safe_line(error)}"
        case _ if isinstance(error, boto.NoCredentialsError):
            text = "there are no AWS credentials"
        case _:
            provider = f" from {values['provider']}" if "provider" in values else ""
            details = f": {_safe_line(error)}" if isinstance(error, _HARMLESS) else f" ({code})"
            if isinstance(error, OSError) and error.filename:
                details = f": {_safe_line(error.filename)}: {error.strerror}"
            text = f"the AWS credentials could not be retrieved{provider}{details}"
    return Problem(reason, text, credentials_advice(), code)


def _from_response(error: boto.ClientError, client: Any, host: str) -> Problem:
    response: Any = error.response
    values, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code = escape_control(str(values.get("Code", "")))[:_MAX_CODE]
    status = int(metadata.get("HTTPStatusCode", 0))
    operation = error.operation_name
    host = str(metadata.get("Host") or host)
    message = _safe_line(values.get("Message") or values.get("message") or "")
    text = f"{code} at {operation} ({host})"
    own = client is not None and operation in client.meta.service_model.operation_names
    reason = _response_reason(code, status, message, response)
    if not own and reason is not Reason.NETWORK:
        # AssumeRole, GetRoleCredentials: botocore's own call for credentials.
        text = f"the AWS credentials could not be retrieved: {text}"
        reason = reason if reason in CREDENTIAL_REASONS else Reason.NO_CREDENTIALS
    if reason in CREDENTIAL_REASONS:
        message = ""  # for a wrong signature AWS quotes the request's headers, the session token among them
    if code.isdigit() or not code:  # the message is another server's page
        text, message = f"{host} answered {operation} with HTTP status {status}, and not as AWS does", ""
    advice = response_advice(reason, operation, client, own=own)
    return Problem(reason, text, advice, code, operation, host, message[:_MAX_MESSAGE])


def _response_reason(code: str, status: int, message: str, response: Any) -> Reason:
    if code.isdigit() or not code:  # AWS's services always send an error code; gateways and proxies do not
        return Reason.SERVICE_ERROR if status in _OVERLOADED else Reason.UNREADABLE_REPLY
    if code in _EXPIRED:
        return Reason.EXPIRED_CREDENTIALS
    if code in _CLOCK or "ignature expired" in message or "ignature not yet current" in message:
        return Reason.CLOCK
    if code in _NOT_FOUND or code.removesuffix("Exception").endswith("NotFound"):
        return Reason.NOT_FOUND
    if code.startswith(_DENIED):
        return Reason.ACCESS_DENIED
    category = classify_response(response)
    return _BY_CATEGORY.get(category, Reason.REFUSED) if category is not None else Reason.REFUSED


def _network_text(error: Exception, host: str) -> str:
    cause = _root_cause(error)
    details = f" ({cause})" if cause else ""
    match error:
        case boto.ProxyConnectionError():
            return f"no connection to the proxy {host}{details}"
        case boto.SSLError():
            return f"no TLS connection to {host}{details}"
        case boto.ReadTimeoutError():
            return f"{host} did not answer in time"
        case boto.ConnectTimeoutError():
            return f"no connection to {host} in time"
        case boto.ConnectionError():
            return f"no connection to {host}{details}"
        case _:
            return f"{host} closed the connection before its answer was complete"


def _root_cause(error: BaseException) -> str:
    """Return the operating system's message from the innermost exception that has one."""
    text, visited = "", set()
    current: BaseException | None = error
    while current is not None and id(current) not in visited:
        visited.add(id(current))
        if isinstance(current, OSError) and current.strerror:
            text = str(current.strerror)
        inner = getattr(current, "kwargs", {}).get("error") if isinstance(current, boto.BotoCoreError) else None
        inner = inner if isinstance(inner, BaseException) else getattr(current, "reason", None)
        current = inner if isinstance(inner, BaseException) else current.__cause__ or current.__context__
    return escape_control(text)


def _safe_line(text: object) -> str:
    return one_line(escape_control(text))
