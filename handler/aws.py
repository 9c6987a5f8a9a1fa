"""The AWS clients: one attempt per call, bounded in time, and error responses as values.

boto3 raises an exception for every response that is not a success. Here, a response is returned: a condition that does
not hold is an answer, and the instrumentation would write the message and stack trace of each exception into the span.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from handler.classification import INVALID_RESPONSE, classify_exception, classify_response
from handler.errors import ErrorCategory, ProcessingError
from handler.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

Response = Mapping[str, Any]

EXPIRED_CREDENTIALS = "ExpiredCredentials"
"""The error code for credentials that botocore knows to have expired: its exception is a plain `RuntimeError`."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}\Z")


def dynamodb_client(settings: Settings) -> "DynamoDBClient":
    """Create a DynamoDB client; credentials and endpoint come from the standard variables."""
    client: DynamoDBClient = create_client("dynamodb", settings)
    return client


def sqs_client(settings: Settings) -> "SQSClient":
    """Create an SQS client; credentials and endpoint come from the standard variables."""
    client: SQSClient = create_client("sqs", settings)
    return client


def client_config(settings: Settings) -> Config:
    """Return how a client talks to AWS."""
    return Config(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},  # handler.retry is the only policy
        parameter_validation=False,  # the service validates, and the parameters are ours
        endpoint_discovery_enabled=False,  # one request more; neither service needs it
        tcp_keepalive=True,  # a thawed sandbox finds out sooner that its connection is gone
        # Where no variable names a proxy there is none: botocore would import urllib.request to find that out.
        proxies=None if any(name.lower().endswith("_proxy") for name in os.environ) else {},
    )


def create_client(service: str, settings: Settings) -> Any:
    """Create a boto3 client that makes one attempt per call and returns error responses.

    Args:
        service: botocore's name of the service.
        settings: HANDLER_COLD_START decides on the session: a fast one of this package, or botocore's own.
    """
    config = client_config(settings)
    if settings.fast_start:
        from handler.coldstart import botocore_session

        client = botocore_session.create_client(service, settings, config)
    else:
        core = botocore.session.get_session()
        if settings.telemetry.snap_start:
            from handler.coldstart.botocore_session import defer_credentials

            defer_credentials(core, settings)
        core.set_default_client_config(config)  # of the clients with which botocore requests credentials, too
        create: Any = boto3.Session(region_name=settings.region, botocore_session=core).client
        client = create(service, config=config)
    return_error_responses(client)
    return client


def credentials_of(client: Any) -> Any:
    """Return the credentials with which a client signs its calls; botocore refreshes them. None if there are none."""
    return client._request_signer._credentials  # noqa: SLF001 - a client does not offer them


def return_error_responses(client: Any) -> None:
    """Make a client return error responses (`{"Error": ..., ...}`) where it would raise `ClientError`.

    botocore's `after-call` event comes after it has parsed the response and before it raises for the status.
    """

    def keep_response(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        status = http_response.status_code
        if status >= 300:  # as botocore does
            error = parsed.setdefault("Error", {})
            if not _CODE.match(str(error.get("Code"))):
                _read_xml(error)
            # The page of a proxy has no error code, or any text in its place: only the status is known.
            if not _CODE.match(str(error.get("Code"))):
                error["Code"] = f"Http{status}"
            if classify_response(parsed) is None:
                # X-Ray takes a call with this status for failed, whatever its span has.
                parsed["ResponseMetadata"].pop("HTTPStatusCode")
            http_response.status_code = 200
        elif not parsed.keys() - {"ResponseMetadata"}:
            # Each call of this function has content in its response. As an error, it reaches the call's span, too.
            parsed["Error"] = {"Code": INVALID_RESPONSE}

    client.meta.events.register_last("after-call", keep_response)


def _read_xml(error: dict[str, Any]) -> None:
    """Read an error in XML, the format of AWS's query protocol: some emulators and proxies of SQS always use it.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-responses.html

    Args:
        error: botocore's error, whose message is the whole text.
    """
    text = str(error.get("Message"))
    if "<ErrorResponse" in text:
        for name in ("Code", "Message"):
            error[name] = text.partition(f"<{name}>")[2].partition(f"</{name}>")[0].strip()


def exception_code(error: BaseException) -> str:
    """Return the error code for an exception of a call: AWS's code if it has one, else the name of its class."""
    if isinstance(error, ClientError):  # of a call that botocore makes by itself, for credentials
        code = str(error.response.get("Error", {}).get("Code"))
        return code if _CODE.match(code) else type(error).__name__
    if type(error) is RuntimeError and classify_exception(error) is ErrorCategory.ACCESS_DENIED:
        return EXPIRED_CREDENTIALS
    return type(error).__name__


def call(service: str, operation: Callable[..., Any], **parameters: Any) -> Response:
    """Make one attempt at a call.

    Args:
        service: AWS's name of it, for people.
        operation: A method of a client.
        parameters: Those of the call.

    Returns:
        The response; one with `Error` only where a transaction's condition did not hold, which is an answer.

    Raises:
        ProcessingError: The call failed.
    """
    try:
        response: Response = operation(**parameters)
    except Exception as error:
        raise _failure(service, classify_exception(error), exception_code(error)) from error
    category = classify_response(response)
    if category is not None:
        from otel.tracing.throttling import throttling_reasons  # most sandboxes never need it

        actions = [action for item in parameters.get("TransactItems", ()) for action in item.values()]
        reasons = throttling_reasons(response, [str(action["TableName"]) for action in actions])
        raise _failure(service, category, str(response["Error"].get("Code")), reasons)
    return response


def _failure(service: str, category: ErrorCategory, code: str, reasons: tuple[str, ...] = ()) -> ProcessingError:
    message = f"{service} refused the write: {code}"
    return ProcessingError(category, code, message, service=service, throttling_reasons=reasons)
