"""What went wrong between a command and AWS: why, in one line, and what to do about it.

botocore has some eighty exceptions, and lets others through: a reply that is no JSON, a `credential_process` that is
not installed. All of them mean that a question has no answer, which is never the same as an empty answer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Any

from botocore import exceptions as boto

from handler.classification import classify_exception, classify_response
from handler.errors import ErrorCategory
from mep.aws_credentials import how_to_get_credentials, look_at_identity
from mep.aws_hosts import authority
from mep.problems import CREDENTIALS, Problem, Reason, as_error
from mep.terminal import escape_control

_LONGEST_MESSAGE = 300
_POLICY = "the managed policy in the stack's output OperatorsPolicyArn allows it"
_SOMETHING_ELSE = "is it AWS, or a proxy or another server in between (HTTPS_PROXY, AWS_ENDPOINT_URL_*)?"
_OVERLOADED = {500, 502, 503, 504}


class UnreadableReplyError(boto.BotoCoreError):
    """A success that says nothing: another server's page, or a reply without what it always has."""

    fmt = "{host} answered {operation}, but not as AWS does"


# By the first of them that an exception is one of.
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
# Exceptions whose text quotes nothing but names of settings; others may quote what a credential_process printed.
_HARMLESS = (boto.InvalidConfigError, boto.MissingDependencyException, boto.MetadataRetrievalError)
_CREDENTIAL_MODULES = frozenset({"botocore.credentials", "botocore.tokens"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_DENIED = ("AccessDenied", "Kms", "KMS", "NotAuthorized", "Unauthorized", "AuthorizationError", "OptInRequired")
_NOT_FOUND = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "QueueDeletedRecently"})
_IAM_ACTIONS = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility", "Invoke": "InvokeFunction"}
_BY_CATEGORY = {
    ErrorCategory.THROTTLING: Reason.THROTTLED,
    ErrorCategory.NETWORK: Reason.NETWORK,
    ErrorCategory.CONFLICT: Reason.SERVICE_ERROR,
    ErrorCategory.DYNAMODB: Reason.SERVICE_ERROR,
    ErrorCategory.ACCESS_DENIED: Reason.INVALID_CREDENTIALS,
}


@contextmanager
def asking(what: str, client: Any) -> Iterator[None]:
    """Report whatever goes wrong between here and AWS as one line.

    Args:
        what: The line's beginning: what cannot be used.
        client: That is called inside.

    Raises:
        UnavailableError: AWS could not be asked, or refused.
        UsageError: A setting of boto3's is wrong.
    """
    try:
        yield
    except Exception as error:
        problem = explain(error, client)
        if problem is None:
            raise
        raise as_error(what, problem) from error


def explain(error: Exception, client: Any = None) -> Problem | None:
    """Say what an error means.

    Args:
        error: Raised by a call.
        client: That was called; None while credentials are looked for, before there is one.

    Returns:
        None where the error is not about AWS: a defect of this program's.
    """
    host = authority(client.meta.endpoint_url) if client is not None else ""
    if isinstance(error, boto.ClientError):
        return _of_reply(error, client, host)
    for kinds, reason in _EXCEPTIONS:
        if isinstance(error, kinds):
            return _of_exception(error, reason, host)
    if any(frame.f_globals.get("__name__") in _CREDENTIAL_MODULES for frame, _ in walk_tb(error.__traceback__)):
        # botocore has no exception of its own for a credential_process that does not start, for one that prints no
        # JSON, for what has expired already when it comes; their texts may quote what was printed.
        return _of_exception(error, Reason.NO_CREDENTIALS, host)
    if isinstance(error, boto.BotoCoreError):
        text = f"boto3 refuses the call: {_one_line(error)}"
        return Problem(Reason.SETTING, text, code=type(error).__name__, host=host)
    if classify_exception(error) is ErrorCategory.DYNAMODB:  # botocore stumbled over the reply
        text = f"{host} answered, but not as AWS does"
        return Problem(Reason.UNREADABLE_REPLY, text, _SOMETHING_ELSE, type(error).__name__, host=host)
    return None


def _of_exception(error: Exception, reason: Reason, host: str) -> Problem:
    facts: dict[str, Any] = getattr(error, "kwargs", {})
    asked = authority(str(facts.get("endpoint_url") or facts.get("proxy_url") or "")) or host
    code = type(error).__name__
    match reason:
        case Reason.NETWORK:
            return Problem(reason, _network_text(error, asked), _network_advice(error), code, host=asked)
        case Reason.UNREADABLE_REPLY:
            operation = str(facts["operation"])
            asked = str(facts["host"])
            return Problem(reason, _one_line(error), _SOMETHING_ELSE, code, operation, asked)
        case Reason.EXPIRED_CREDENTIALS:
            text = "there is no valid login: the session has expired, or never was"
        case Reason.INVALID_CREDENTIALS:
            text = f"the credentials are not complete: {_one_line(error)}"
        case _ if isinstance(error, boto.NoCredentialsError):
            text = "there are no AWS credentials"
        case _:
            provider = f" from {facts['provider']}" if "provider" in facts else ""
            said = f": {_one_line(error)}" if isinstance(error, _HARMLESS) else f" ({code})"
            text = f"the AWS credentials could not be had{provider}{said}"
    return Problem(reason, text, how_to_get_credentials(), code)


def _of_reply(error: boto.ClientError, client: Any, host: str) -> Problem:
    response: Any = error.response
    found, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code = escape_control(str(found.get("Code", "")))[:100]
    status = int(metadata.get("HTTPStatusCode", 0))
    operation = error.operation_name
    host = str(metadata.get("Host") or host)
    message = " ".join(escape_control(str(found.get("Message") or found.get("message") or "")).split())
    text = f"{code} at {operation} ({host})"
    own = client is not None and operation in client.meta.service_model.operation_names
    reason = _reason_of_reply(code, status, message, response)
    if not own and reason is not Reason.NETWORK:
        # AssumeRole, GetRoleCredentials: botocore's own call for credentials.
        text = f"the AWS credentials could not be had: {text}"
        reason = reason if reason in CREDENTIALS else Reason.NO_CREDENTIALS
    if reason in CREDENTIALS:
        message = ""  # a signature that does not match is explained with the request's headers, the session token too
    if code.isdigit() or not code:  # the message is somebody's page
        text, message = f"{host} answered {operation} with HTTP status {status}, and not as AWS does", ""
    advice = _advice(reason, operation, client, own=own)
    return Problem(reason, text, advice, code, operation, host, message[:_LONGEST_MESSAGE])


def _reason_of_reply(code: str, status: int, message: str, response: Any) -> Reason:
    if code.isdigit() or not code:  # AWS's services name a code, but not what stands in front of them
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


_ADVICE = {
    Reason.NOT_FOUND: "are name, environment, region and account right?",
    Reason.CLOCK: "is this machine's clock right?",
    Reason.THROTTLED: "it stayed so for several attempts: try again in a minute",
    Reason.SERVICE_ERROR: "try again in a minute",
    Reason.UNREADABLE_REPLY: _SOMETHING_ELSE,
}


def _advice(reason: Reason, operation: str, client: Any, *, own: bool) -> str:
    if reason is Reason.ACCESS_DENIED and client is not None:
        service = client.meta.service_model.service_name
        action = f"{service}:{_IAM_ACTIONS.get(operation, operation)}"
        return f"the credentials in use need {action}: {_POLICY}"
    if reason in CREDENTIALS - {Reason.CLOCK}:
        return look_at_identity() if reason is Reason.NO_CREDENTIALS and not own else how_to_get_credentials()
    return _ADVICE.get(reason, "")


def _network_text(error: Exception, host: str) -> str:
    why = _cause(error)
    why = f" ({why})" if why else ""
    match error:
        case boto.ProxyConnectionError():
            return f"no connection to the proxy {host}{why}"
        case boto.SSLError():
            return f"no TLS connection to {host}{why}"
        case boto.ReadTimeoutError():
            return f"{host} did not answer in time"
        case boto.ConnectTimeoutError():
            return f"no connection to {host} in time"
        case boto.ConnectionError():
            return f"no connection to {host}{why}"
        case _:
            return f"{host} closed the connection before its answer was complete"


def _network_advice(error: Exception) -> str:
    match error:
        case boto.ProxyConnectionError():
            return "HTTPS_PROXY, HTTP_PROXY and NO_PROXY say what goes through a proxy"
        case boto.SSLError():
            return "AWS_CA_BUNDLE names the certificates to trust, if a proxy has its own"
        case boto.ConnectionError():
            return "are the network, AWS_REGION and AWS_ENDPOINT_URL_* right?"
        case _:
            return "try again"


def _cause(error: BaseException) -> str:
    """The operating system's word for it, from the end of the chain of exceptions."""
    text, seen = "", set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, OSError) and found.strerror:
            text = str(found.strerror)
        inner = getattr(found, "kwargs", {}).get("error") if isinstance(found, boto.BotoCoreError) else None
        inner = inner if isinstance(inner, BaseException) else getattr(found, "reason", None)
        found = inner if isinstance(inner, BaseException) else found.__cause__ or found.__context__
    return escape_control(text)


def _one_line(error: Exception) -> str:
    return " ".join(escape_control(str(error)).split())
