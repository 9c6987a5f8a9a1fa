"""Problems of boto3's own settings, each in one line that names the variables. Imported only when there may be one.

boto3 reads some forty variables and two files. A setting that it refuses, or that would fail every event, is reported
at the start: by the names of what is set, never by a value.
"""

from collections.abc import Mapping
from typing import Any

from botocore import exceptions as boto
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.session import Session

from handler.aws import credentials_of, sqs_client
from handler.errors import SettingsError
from handler.settings import Settings

GUIDE = "https://boto3.amazonaws.com/v1/documentation/api/latest/guide/configuration.html"

_DECIDE_THE_ENDPOINT = (
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
    *("AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_ACCOUNT_ID", "AWS_PROFILE", "AWS_CONFIG_FILE"),
)

_ACCOUNT = "AWS::Auth::AccountId"  # https://smithy.io/2.0/aws/rules-engine/built-ins.html

_PROFILE_KEYS = (
    *("role_arn", "source_profile", "credential_source", "web_identity_token_file", "sso_session", "sso-session"),
    *("sso_start_url", "sso_region", "sso_account_id", "sso_role_name", "credential_process"),
)

_BY_CLASS: Mapping[type[Exception], str] = {
    boto.InvalidDefaultsMode: "AWS_DEFAULTS_MODE",
    boto.InvalidIMDSEndpointError: "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    boto.InvalidIMDSEndpointModeError: "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    boto.InvalidRegionError: "AWS_REGION",
    boto.InvalidRetryModeError: "AWS_RETRY_MODE",
    boto.InvalidMaxRetryAttemptsError: "AWS_MAX_ATTEMPTS",
    boto.InvalidSTSRegionalEndpointsConfigError: "AWS_STS_REGIONAL_ENDPOINTS",
}
"""The variable behind an exception that does not name it."""


def problem_of(error: Exception, environ: Mapping[str, str]) -> str:
    """Describe why boto3 refused to create a client.

    Args:
        error: The exception that it raised.
        environ: The environment.

    Returns:
        One sentence: which variable or file, which rule, what to do.
    """
    kind, profile = type(error).__name__, _profile(environ)
    variables = _variables(error, environ)
    if "web identity" in str(error) and "AWS_WEB_IDENTITY_TOKEN_FILE" in environ:
        problem = "AWS_ROLE_ARN is not set, but AWS_WEB_IDENTITY_TOKEN_FILE is: set both or neither"
    elif isinstance(error, boto.ConfigParseError):
        problem = "AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE must be in the format of ~/.aws/config and UTF-8"
    elif variables and isinstance(error, OSError):
        problem = f"{', '.join(variables)} must name a file that this function can read ({kind})"
    elif variables:
        problem = f"{', '.join(variables)} must be of a form that boto3 accepts ({kind}): {GUIDE}"
    elif isinstance(error, boto.ProfileNotFound):
        problem = (
            f"{profile} must be the name of a profile in AWS_CONFIG_FILE (~/.aws/config) or "
            "AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials)"
        )
    elif isinstance(error, boto.MissingDependencyException):
        problem = f"{profile} must not be a profile of `aws login`, which needs awscrt: use another kind of profile"
    elif isinstance(error, OSError):
        problem = f"{profile} must name files and programs that this function can use ({kind})"
    else:
        details = f"{error} {getattr(error, 'kwargs', '')}"
        keys = [key for key in _PROFILE_KEYS if key in details]
        about = f" ({', '.join(keys)})" if keys else ""
        problem = f"{profile} must be a profile that can give credentials{about}: boto3 refuses it ({kind}): {GUIDE}"
    return problem


def check(dynamodb: Any, settings: Settings, environ: Mapping[str, str]) -> None:
    """Check for settings that would fail every event, although the client was created.

    Args:
        dynamodb: The client.
        settings: The settings of the client.
        environ: The environment.

    Raises:
        SettingsError: No endpoint exists for the settings, or the credentials' expiration has no time zone.
    """
    problems = []
    credentials = credentials_of(dynamodb)
    if _is_from_environment(credentials) and isinstance(credentials, RefreshableCredentials):
        try:
            credentials.refresh_needed()
        except TypeError:
            problems.append("AWS_CREDENTIAL_EXPIRATION must be a time with its zone, such as 2026-01-31T12:00:00Z")
    for service, client, operation in (
        ("DynamoDB", dynamodb, "TransactWriteItems"),
        ("SQS", sqs_client(settings), "SendMessage"),
    ):
        refusal = _refusal(client, operation, _account(credentials, environ))
        if refusal is not None:
            named = [name for name in _DECIDE_THE_ENDPOINT if environ.get(name)]
            problems.append(
                f"{', '.join(named)} do not go together: {service} has no such endpoint ({refusal}): change one of them"
            )
    if problems:
        raise SettingsError(problems, settings.telemetry)


def _is_from_environment(credentials: Any) -> bool:
    return getattr(credentials, "method", None) == "env"  # a standard session may have no credentials


def _account(credentials: Any, environ: Mapping[str, str]) -> str | None:
    """Return the account of the credentials, as far as it is known without a request."""
    if _is_from_environment(credentials):
        return environ.get("AWS_ACCOUNT_ID")
    return getattr(credentials, "account_id", None) if type(credentials) is Credentials else "0" * 12


def _refusal(client: Any, operation: str, account: str | None) -> str | None:
    """Return why a call has no endpoint, in the text of AWS's rules, which contains no value; None if it has one."""

    def set_account(builtins: dict[str, Any], **_: Any) -> None:
        builtins[_ACCOUNT] = account

    client.meta.events.register_last("before-endpoint-resolution", set_account)
    try:
        client._resolve_endpoint_ruleset(  # noqa: SLF001 - otherwise only a call resolves it
            client.meta.service_model.operation_model(operation), {}, {}
        )
    except boto.EndpointProviderError as error:
        return str(error).partition("\n")[0]
    finally:
        client.meta.events.unregister("before-endpoint-resolution", set_account)
    return None


def _profile(environ: Mapping[str, str]) -> str:
    """Return the variable that names the profile."""
    variable = next((name for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE") if name in environ), None)
    return variable or "AWS_PROFILE (not set: the profile default)"


def _variables(error: Exception, environ: Mapping[str, str]) -> list[str]:
    """Return the variables that an exception is about, as far as that is known."""
    if type(error) in _BY_CLASS:
        return [_BY_CLASS[type(error)]]
    if isinstance(error, OSError):
        files = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        return [name for name in files if environ.get(name) == error.filename]
    if isinstance(error, boto.BotoCoreError):
        return [
            next((name for name in _names(variable) if name in environ), f"{option} in {_profile(environ)}")
            for option, (_, variable, *_) in Session.SESSION_VARIABLES.items()
            if "_" in option and option in str(error.kwargs)
        ]
    candidates = ("AWS_CREDENTIAL_EXPIRATION", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
    return _not_numbers(environ) or [name for name in candidates if name in environ]


def _not_numbers(environ: Mapping[str, str]) -> list[str]:
    wrong = []
    for _, variable, _, convert in Session.SESSION_VARIABLES.values():
        for name in _names(variable):
            if convert is not None and name in environ:
                try:
                    convert(environ[name])
                except ValueError:
                    wrong.append(name)
    return wrong


def _names(variable: Any) -> list[str]:
    return [variable] if isinstance(variable, str) else list(variable or ())
