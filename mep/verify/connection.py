"""How the checks call AWS: with the caller's own credentials, or under the role of the stack."""

import getpass
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import botocore.session

from mep.aws import AwsClients, open_aws
from mep.aws_errors import aws_errors
from mep.dlq.session import operator_name
from mep.errors import UsageError
from mep.verify.account import ROUND_TRIP_SERVICES, SERVICES, client_factory

_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}")
_NOT_IN_SESSION_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)
_MAX_SESSION_NAME = 64


@dataclass(frozen=True, slots=True)
class Connection:
    """The calls of a verification.

    Attributes:
        aws: The clients.
        client: Returns the client of a service; raises `NotQueriedError` for one that must not be called.
        operator: Returns who verifies: the caller, not the role.
        emulated: Whether an emulator is called.
    """

    aws: AwsClients
    client: Callable[..., Any]
    operator: Callable[[], str]
    emulated: bool


def connect(regional: Mapping[str, str], role: str | None, *, full: bool) -> Connection:
    """Return the connection.

    Args:
        regional: Options that may be ARNs, by name.
        role: The ARN of the role to assume; None for the caller's own permissions.
        full: Whether the round trip is made, too.

    Raises:
        UsageError: An option or a setting is invalid.
        UnavailableError: There are no credentials, or the role cannot be assumed.
    """
    role = (role or "").strip()
    if role and not _ROLE_ARN.fullmatch(role):
        raise UsageError(f"--role {role}: must be the ARN of a role, which is the stack's output VerificationRoleArn")
    caller = open_aws(regional)
    caller.check_credentials()
    services = ROUND_TRIP_SERVICES if full else SERVICES
    aws = caller
    if role:
        emulated = caller.prefer_emulator(services)
        if emulated and not caller.is_allowed("sts"):
            raise UsageError("--role needs AWS_ENDPOINT_URL_STS, because other endpoints are an emulator's")
        aws = _assume(caller, role)
    client, emulated = client_factory(aws, services)
    return Connection(aws, client, cache(partial(operator_name, caller, None)), emulated)


def _assume(caller: AwsClients, role: str) -> AwsClients:
    client = caller.client("sts")
    name = _NOT_IN_SESSION_NAME.sub("-", f"mep-verify-{_user()}")[:_MAX_SESSION_NAME]
    with aws_errors(f"the role {role} cannot be assumed", client):
        credentials = client.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
    session = botocore.session.Session()
    session.set_credentials(*(credentials[part] for part in ("AccessKeyId", "SecretAccessKey", "SessionToken")))
    return AwsClients(caller.region, session)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
