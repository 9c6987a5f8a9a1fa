"""What to do about a failed AWS call: credentials, permissions, network."""

import os
import shlex
from typing import Any

import botocore.session
from botocore import exceptions as boto

from mep.aws_hosts import is_loopback
from mep.errors import CREDENTIAL_REASONS, Reason

NOT_AWS = "is it AWS, or a proxy or another server in between (HTTPS_PROXY, AWS_ENDPOINT_URL_*)?"

_POLICY = "the managed policy in the stack's output OperatorsPolicyArn allows it"
_POLICIES = "the managed policies in the stack's outputs OperatorsPolicyArn and RespondersPolicyArn allow it"
_IAM_ACTIONS = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility", "Invoke": "InvokeFunction"}
_BY_REASON = {
    Reason.NOT_FOUND: "check name, environment, region and account",
    Reason.CLOCK: "check this machine's clock",
    Reason.THROTTLED: "every attempt was throttled: try again in a minute",
    Reason.SERVICE_ERROR: "try again in a minute",
    Reason.UNREADABLE_REPLY: NOT_AWS,
}
_CREDENTIAL_SETTINGS = {
    *("role_arn", "credential_process", "credential_source", "web_identity_token_file", "aws_access_key_id"),
}


def response_advice(reason: Reason, operation: str, client: Any, *, own: bool) -> str:
    """Return what to do about an error response; empty where only waiting helps.

    Args:
        reason: Why the call failed.
        operation: The API operation.
        client: The client that was used; None while credentials are resolved.
        own: Whether the operation is the client's, not botocore's own call for credentials.
    """
    if reason is Reason.ACCESS_DENIED and client is not None:
        if operation == "TransactWriteItems":  # IAM has no action of this name
            return f"the credentials in use need dynamodb:PutItem or dynamodb:UpdateItem on the tables: {_POLICIES}"
        service = client.meta.service_model.service_name
        action = f"{service}:{_IAM_ACTIONS.get(operation, operation)}"
        return f"the credentials in use need {action}: {_POLICY}"
    if reason in CREDENTIAL_REASONS - {Reason.CLOCK}:
        return profile_advice() if reason is Reason.NO_CREDENTIALS and not own else credentials_advice()
    return _BY_REASON.get(reason, "")


def network_advice(error: Exception) -> str:
    """Return what to do about botocore's exception for a failed connection."""
    match error:
        case boto.ProxyConnectionError():
            return "HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide what goes through a proxy"
        case boto.SSLError():
            return "AWS_CA_BUNDLE names the certificates to trust, if a proxy has its own"
        case boto.ConnectionError() if is_loopback(str(error.kwargs.get("endpoint_url", ""))):
            return (
                "nothing runs there: start it; or, where kept.env of a `mep local --keep` that has ended set the"
                " variables, open a new shell"
            )
        case boto.ConnectionError():
            return "check the network, AWS_REGION and AWS_ENDPOINT_URL_*"
        case _:
            return "try again"


def credentials_advice() -> str:
    """Return how to get valid credentials from the source that boto3 uses now."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return (
            "those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN are used: "
            "set new ones, or unset them to use a profile"
        )
    if os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and not os.environ.get("AWS_PROFILE"):
        return (
            "the role AWS_ROLE_ARN with the token in AWS_WEB_IDENTITY_TOKEN_FILE is used: "
            "correct them, or unset them to use a profile"
        )
    session = botocore.session.Session()
    name = session.profile or "default"
    try:
        profiles = session.full_config.get("profiles", {})
    except boto.BotoCoreError:
        profiles = {}
    visited: set[str] = set()
    config = profiles.get(name, {})
    while "source_profile" in config and name not in visited:
        visited.add(name)
        name = config["source_profile"]
        config = profiles.get(name, {})
    quoted = shlex.quote(name)
    if {"sso_session", "sso_start_url", "sso_account_id"} & config.keys():
        return f"run: aws sso login --profile {quoted}"
    if "login_session" in config:
        return f"run: aws login --profile {quoted}"
    if _CREDENTIAL_SETTINGS & config.keys():
        return profile_advice()
    return (
        "set AWS_PROFILE to a profile of ~/.aws/config (with IAM Identity Center: aws sso login --profile NAME), or "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )


def profile_advice() -> str:
    """Return the command that shows why the profile in use yields no credentials."""
    name = botocore.session.Session().profile or "default"
    return f"`aws sts get-caller-identity --profile {shlex.quote(name)}` shows what is wrong with the profile"
