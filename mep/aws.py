"""The boto3 clients of the commands: one session, one configuration.

boto3 reads credentials, profiles and endpoints. It differs from the other AWS SDKs in two ways that are corrected here:
it reads the region from `AWS_DEFAULT_REGION` only, and it sends the calls about a queue to the region's endpoint, not
to the host of the queue's URL.
"""

import os
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.request import getproxies

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoCredentialsError

from mep import DISTRIBUTION
from mep.aws_advice import credentials_advice
from mep.aws_errors import check_response, explain
from mep.aws_hosts import is_aws, is_public_queue, origin, region_of, region_variable
from mep.credentials import check_variables, is_malformed
from mep.errors import Problem, Reason, UsageError, error_for
from mep.text import one_line

ATTEMPTS = 4
"""Attempts per call in botocore's standard retry mode; `AWS_MAX_ATTEMPTS` overrides it."""

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30

_REGION = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


class AwsClients:
    """The boto3 clients of one command, all with the same session and configuration.

    Args:
        region: The region of every client.
        session: A session that has read variables and profiles; a new one if None.

    Attributes:
        region: The region of every client.
        emulated: True where the command works on an emulator, False where it works on AWS: calls to the other side are
            refused. None where both are allowed.
    """

    def __init__(self, region: str, session: botocore.session.Session | None = None) -> None:
        self.region = region
        self.emulated: bool | None = None
        self._core = session or botocore.session.Session()
        self._session = boto3.Session(botocore_session=self._core, region_name=region)
        after_call: Any = check_response
        self._core.register("after-call", after_call)
        self._clients: dict[tuple[str, str], Any] = {}
        self._overrides: dict[str, dict[str, Any]] = {}

    def client(self, service: str, **config: Any) -> Any:
        """Return the client of a service; each is created once.

        Args:
            service: boto3's name of the service.
            config: botocore's `Config`, in addition to the common configuration.

        Raises:
            UsageError: A boto3 setting is invalid, or the endpoint is on the other side of `emulated`.
        """
        client = self._client(service, **config)
        if not self.is_allowed(service):
            variable = endpoint_variable(client)
            if self.emulated:
                raise UsageError(
                    f"{variable} is not set, although the queue is not on AWS: "
                    "events of an emulator are not sent to an AWS account"
                )
            raise UsageError(
                f"{variable} or AWS_ENDPOINT_URL is {origin(client.meta.endpoint_url)}, which is not AWS, "
                "although the queue is on AWS: events of an AWS account are not sent to an emulator"
            )
        return client

    def is_allowed(self, service: str) -> bool:
        """Return whether a service may be called: not AWS beside an emulator, nor an emulator beside AWS.

        Raises:
            UsageError: As for `client`.
        """
        return self.emulated is None or self.emulated == self.is_emulated(service)

    def is_emulated(self, service: str) -> bool:
        """Return whether the endpoint of a service is not on AWS.

        Raises:
            UsageError: As for `client`.
        """
        return not is_aws(self._client(service).meta.endpoint_url)

    def prefer_emulator(self, services: Iterable[str]) -> bool:
        """Allow no calls of AWS if the endpoint of one of these services is not on AWS; return whether that is so.

        The client of each is created, so that an invalid setting is reported before any call.

        Raises:
            UsageError: As for `client`.
        """
        is_emulator = True in {self.is_emulated(service) for service in services}
        self.emulated = True if is_emulator else None
        return is_emulator

    def use_queue(self, url: str, *, is_option: bool) -> None:
        """Send SQS calls to the host of the queue's URL, unless a variable names another endpoint.

        Args:
            url: The queue's URL.
            is_option: Whether the URL was given as an option, which overrides every variable.

        Raises:
            UsageError: As for `client`.
        """
        sdk_endpoint = self._client("sqs").meta.endpoint_url
        overrides: dict[str, Any] = {}
        if is_aws(url) and is_public_queue(url):
            # The public name of the queue is valid through every endpoint: FIPS, dual-stack, a VPC endpoint.
            if is_option and not is_aws(sdk_endpoint):
                overrides = {"ignore_configured_endpoint_urls": True}
        elif is_option or (is_public_queue(sdk_endpoint) if is_aws(url) else is_aws(sdk_endpoint)):
            # botocore rejects an endpoint URL together with these two.
            overrides = {"endpoint_url": origin(url), "use_fips_endpoint": False, "use_dualstack_endpoint": False}
        self._overrides["sqs"] = overrides
        self._clients.clear()
        self.emulated = self.is_emulated("sqs")

    @cached_property
    def credentials_problem(self) -> Problem | None:
        """Why there are no valid credentials; None where there are. Read it before a client is created."""
        try:
            credentials = self._core.get_credentials()
            if credentials is None:
                return explain(NoCredentialsError())
            frozen = credentials.get_frozen_credentials()
        except Exception as error:
            problem = explain(error)
            if problem is None:
                raise
            return problem
        if any(map(is_malformed, (frozen.access_key, frozen.secret_key, frozen.token or ""))):
            text = (
                f"the credentials from {credentials.method} have a line end, a blank or a character that is not ASCII"
            )
            return Problem(Reason.INVALID_CREDENTIALS, text, credentials_advice())
        return None

    def check_credentials(self) -> None:
        """Check that there are credentials, before the first call.

        Raises:
            UnavailableError: There are no valid credentials.
            UsageError: A setting of the credentials is invalid.
        """
        if (problem := self.credentials_problem) is not None:
            raise error_for("AWS cannot be called", problem)

    def _client(self, service: str, **config: Any) -> Any:
        key = (service, repr(sorted(config.items())))
        if key not in self._clients:
            client = self._create(service, config)
            if not is_aws(client.meta.endpoint_url) and getproxies().keys() - {"no"}:
                client = self._create(service, {"proxies": {}, **config})  # an emulator is never behind a proxy
            self._clients[key] = client
        return self._clients[key]

    def _create(self, service: str, config: Mapping[str, Any]) -> Any:
        overrides = dict(self._overrides.get(service, {}))
        endpoint_url = overrides.pop("endpoint_url", None)
        create: Any = self._session.client
        try:
            attempts = self._core.get_config_variable("max_attempts") or ATTEMPTS
        except ValueError as error:
            raise UsageError("AWS_MAX_ATTEMPTS must be a whole number") from error
        settings = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"mode": "standard", "total_max_attempts": attempts},
            "user_agent_extra": f"mep/{_version()}",
            **overrides,
            **config,
        }
        try:
            return create(service, endpoint_url=endpoint_url, config=Config(**settings))
        except BotoCoreError as error:
            raise UsageError(f"boto3 cannot create a client of {service}: {one_line(error)}") from error
        except ValueError as error:  # botocore raises it for an invalid endpoint
            if endpoint_url is not None:
                raise UsageError("the queue's URL must have a host of letters, digits, . and -") from error
            variable = f"AWS_ENDPOINT_URL_{_variable_suffix(botocore.session.Session().get_service_model(service))}"
            variable = variable if os.environ.get(variable) else "AWS_ENDPOINT_URL"
            raise UsageError(f"{variable} must be a URL such as http://127.0.0.1:4566") from error


def open_aws(regional: Mapping[str, str], environ: Mapping[str, str] | None = None) -> AwsClients:
    """Return the clients for the region that every AWS SDK but boto3 would read.

    The region is that of `AWS_REGION`, else `AWS_DEFAULT_REGION`, else the profile's `region`, else that of a value of
    `regional`. https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html

    Args:
        regional: URLs of queues and ARNs by the name of their option or variable. Other values are ignored.
        environ: The environment; `os.environ` if None. boto3 itself always reads the latter.

    Raises:
        UsageError: There is no region, a value of `regional` is in another region, the profile is invalid, or no
            request can carry the credentials of a variable.
    """
    environ = os.environ if environ is None else environ
    check_variables(environ)
    core = botocore.session.Session()
    try:
        profile_region = str(core.get_scoped_config().get("region", ""))
    except BotoCoreError as error:
        raise UsageError(f"boto3 cannot be set up: {one_line(error)}") from error
    candidates = (
        region_variable(environ),
        (f"the region of profile {core.profile or 'default'}", profile_region),
        *((name, region_of(value)) for name, value in regional.items()),
    )
    source, region = next(((name, text.strip()) for name, text in candidates if text.strip()), ("", ""))
    if not region:
        raise UsageError("AWS_REGION is not set: set it to the stack's region, such as eu-central-1")
    if not _REGION.fullmatch(region):
        raise UsageError(f"{source} must be the name of a region such as eu-central-1")
    for name, value in regional.items():
        other = region_of(value)
        if other and other != region.removeprefix("fips-").removesuffix("-fips"):
            raise UsageError(f"{name} is in {other}, but {source} is {region}: set AWS_REGION={other}, or correct it")
    return AwsClients(region, core)


def endpoint_variable(client: Any) -> str:
    """Return the standard variable for the endpoint of a client's service."""
    return f"AWS_ENDPOINT_URL_{_variable_suffix(client.meta.service_model)}"


def _variable_suffix(model: Any) -> str:
    return str(model.service_id.hyphenize().replace("-", "_").upper())


@cache
def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "0"
