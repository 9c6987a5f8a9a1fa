"""The AWS clients: one attempt a call, bounded in time, and error replies as values.

boto3 raises an exception for every reply that is not a success. Here a reply is a reply: a condition that did not hold
is an answer, and the instrumentation would write every exception's message and stack trace into the span.
"""

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialResolver, EnvProvider
from botocore.exceptions import ClientError
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.httpsession import DEFAULT_CA_BUNDLE
from botocore.loaders import Loader

from handler.classification import INVALID_RESPONSE, classify_exception, classify_response
from handler.errors import ErrorCategory, ProcessingError
from handler.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

Response = Mapping[str, Any]

DATA = os.path.join(os.path.dirname(__file__), "coldstart", "botocore_data")

SERVICES = frozenset({"dynamodb", "sqs"})
"""All that the function calls, in botocore's names."""

EXPIRED_CREDENTIALS = "ExpiredCredentials"
"""Our own code for credentials that botocore knows to have expired: its exception is a plain `RuntimeError`."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,99}\Z")


def dynamodb_client(settings: Settings) -> "DynamoDBClient":
    """A DynamoDB client; credentials and endpoint come from the standard variables."""
    client: DynamoDBClient = make_client("dynamodb", settings)
    return client


def sqs_client(settings: Settings) -> "SQSClient":
    """An SQS client, likewise."""
    client: SQSClient = make_client("sqs", settings)
    return client


def client_config(settings: Settings, user_agent: str | None = None) -> Config:
    """How a client talks to AWS."""
    return Config(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},  # handler.retry is the only policy
        parameter_validation=False,  # the service validates, and the parameters are ours
        tcp_keepalive=True,  # a thawed sandbox finds out sooner that its connection is gone
        user_agent=user_agent,
        # Where no variable names a proxy there is none: botocore would import urllib.request to find that out.
        proxies=None if any(name.lower().endswith("_proxy") for name in os.environ) else {},
    )


def make_client(service: str, settings: Settings) -> Any:
    """A boto3 client that knows only what the function calls, tries once, and returns error replies.

    botocore reads its whole data of a service, and the endpoints of all, from files; `deploy.image.trim_botocore` has
    cut them down. There is no way back to the whole data: a call that was not foreseen fails at once, not on some path
    at night.
    """
    core = botocore.session.Session(include_builtin_handlers=False)
    data = OwnData(extra_search_paths=[DATA], include_default_search_paths=False)
    core.register_component("data_loader", data)
    core.register_component("token_provider", _NoBearerToken())
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        # As on Lambda. It is botocore's first choice anyway, and it would make all its other sources first, an HTTP
        # session for each service of metadata included.
        register_handlers(core, SERVICES)
        core.register_component("credential_provider", CredentialResolver([EnvProvider()]))
    else:
        from handler.credentials import look_elsewhere

        look_elsewhere(core, data, settings)
    if service == "dynamodb" and settings.calendar_table.startswith("arn:"):
        _name_accounts(data, settings)
    session = boto3.Session(region_name=settings.region, botocore_session=core)
    # The user agent is made once; otherwise botocore puts it together twice for each call.
    make: Callable[..., Any] = session.client
    # Those that are named, as botocore looks for them; else those that it brings: by itself it would search certifi's,
    # with much of importlib.
    verify = core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or DEFAULT_CA_BUNDLE
    client = make(service, config=client_config(settings, core.user_agent()), verify=verify)
    return_error_responses(client)
    return client


class OwnData(Loader):
    """Loads the function's own data, which is botocore's own, cut down.

    Data from elsewhere counts as a user's: botocore then finds the host in its older way and gives it to the rule set
    as one that the user has set, so that dual-stack, account-based and some FIPS hosts are lost.
    """

    def is_builtin_path(self, path: str) -> bool:  # noqa: ARG002 - there is no other data here
        """Whether data is botocore's own."""
        return True


class _NoBearerToken:
    """No bearer token: neither service takes one."""

    def load_token(self, **_: Any) -> None:
        """None, as from botocore's own search where there is none."""


def _name_accounts(data: Loader, settings: Settings) -> None:
    """Tell the rule set the tables' ARNs, in which it looks for the account whose host is to be called.

    botocore would find them in the parameters of each call, by JMESPath. The tables of this function never change.
    """
    model = data.load_service_model("dynamodb", "service-2", api_version=None)
    arns = [settings.calendar_table, settings.audit_table]
    model["operations"]["TransactWriteItems"]["staticContextParams"] = {"ResourceArnList": {"value": arns}}


def register_handlers(core: botocore.session.Session, services: frozenset[str]) -> None:
    """Register botocore's own handlers, but for those of other services and of its documentation: nine in ten.

    Args:
        core: the session.
        services: those that are called, in botocore's names.
    """
    emitter = core.get_component("event_emitter")
    register = {
        None: emitter.register,
        REGISTER_FIRST: emitter.register_first,
        REGISTER_LAST: emitter.register_last,
    }
    for event, handler, *when in BUILTIN_HANDLERS:
        phase, _, rest = event.partition(".")
        name = rest.partition(".")[0]
        if phase != "docs" and (not rest or name == "*" or name in services):
            register[when[0] if when else None](event, handler)


def return_error_responses(client: Any) -> None:
    """Make a client return error replies (`{"Error": ..., ...}`) where it would raise `ClientError`.

    By botocore's own `after-call` event, which comes between parsing the reply and raising for its status.
    """

    def keep_response(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        status = http_response.status_code
        if status >= 300:
            error = parsed.setdefault("Error", {})
            if not _CODE.match(str(error.get("Code"))):
                _read_xml(error)
            # A proxy's page has no code in it, or anything: the status is all that is known.
            if not _CODE.match(str(error.get("Code"))):
                error["Code"] = f"Http{status}"
            if classify_response(parsed) is None:
                # X-Ray takes a call with this status for failed, whatever its span says.
                parsed["ResponseMetadata"].pop("HTTPStatusCode")
            http_response.status_code = 200
        elif not parsed.keys() - {"ResponseMetadata"}:
            # Each call made here is answered with something. Told as an error, so that the call's span knows it too.
            parsed["Error"] = {"Code": INVALID_RESPONSE}

    client.meta.events.register_last("after-call", keep_response)


def _read_xml(error: dict[str, Any]) -> None:
    """Read an error in XML, the form of AWS's query protocol: some who speak for SQS answer in it whatever was asked.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-responses.html

    Args:
        error: botocore's, which has the whole text as its message.
    """
    text = str(error.get("Message"))
    if "<ErrorResponse" in text:
        for name in ("Code", "Message"):
            error[name] = text.partition(f"<{name}>")[2].partition(f"</{name}>")[0].strip()


def exception_code(error: BaseException) -> str:
    """What to call an exception of a call: AWS's error code where a reply is behind it, else its class."""
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
        reply: Response = operation(**parameters)
    except Exception as error:
        raise _failure(service, classify_exception(error), exception_code(error)) from error
    category = classify_response(reply)
    if category is not None:
        from otel.tracing.throttling import throttling_reasons  # most sandboxes never need it

        actions = [action for item in parameters.get("TransactItems", ()) for action in item.values()]
        reasons = throttling_reasons(reply, [str(action["TableName"]) for action in actions])
        raise _failure(service, category, str(reply["Error"].get("Code")), reasons)
    return reply


def _failure(service: str, category: ErrorCategory, code: str, reasons: tuple[str, ...] = ()) -> ProcessingError:
    message = f"{service} refused the write: {code}"
    return ProcessingError(category, code, message, service=service, throttling_reasons=reasons)
