"""How the commands reach AWS: one reading of the standard variables, one session, one configuration of clients.

boto3 reads credentials, profiles and endpoints. Two things it reads otherwise than the other AWS SDKs, and they are
settled here: the region, which it looks for in `AWS_DEFAULT_REGION` only, and a queue's URL, of which it takes the name
and not the host.
"""

import json
import os
import re
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoCredentialsError

from mep.aws_errors import UnreadableReplyError, explain
from mep.aws_hosts import authority, is_aws, is_public_queue, origin, region_of, region_variable
from mep.errors import UsageError
from mep.problems import Problem, as_error

ATTEMPTS = 4
"""Attempts at a call in total, by the standard retry mode's waits; `AWS_MAX_ATTEMPTS` wins."""

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30

_REGION = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")

# What a reply always has. botocore reads a page of a proxy's, with status 200, as a reply without any member.
_ALWAYS = {
    "GetQueueAttributes": "Attributes",
    "StartQuery": "queryId",
    "GetQueryResults": "status",
    "Query": "Items",
    "GetTraceSummaries": "TraceSummaries",
    "BatchGetTraces": "Traces",
    "ListRules": "Rules",
    "ListTargetsByRule": "Targets",
    "TestEventPattern": "Result",
    "PutEvents": "Entries",
}


class Aws:
    """What one command calls AWS with.

    Args:
        region: Of every client.
        session: That has read variables and profiles; a new one if None.

    Attributes:
        region: Likewise.
        emulated: Whether the command works on an emulator: then nothing may go to AWS by mistake, nor the other way
            round. None where either may be called.
    """

    def __init__(self, region: str, session: botocore.session.Session | None = None) -> None:
        self.region = region
        self.emulated: bool | None = None
        self._core = session or botocore.session.Session()
        self._session = boto3.Session(botocore_session=self._core, region_name=region)
        look: Any = _look_at_reply
        self._core.register("after-call", look)
        self._clients: dict[tuple[str, str], Any] = {}
        self._settings: dict[str, dict[str, Any]] = {}

    def client(self, service: str, **config: Any) -> Any:
        """Return the client of a service; it is made once.

        Args:
            service: As boto3 calls it.
            config: botocore's `Config`, on top of what is the same for all.

        Raises:
            UsageError: A setting of boto3's is wrong, or the client would leave the emulator, or AWS.
        """
        made = self._client(service, **config)
        if not self.reachable(service):
            variable = endpoint_variable(made)
            if self.emulated:
                raise UsageError(
                    f"{variable} is not set, although the queue is not AWS's own: "
                    "an event from an emulator is not sent to an account"
                )
            raise UsageError(
                f"{variable} or AWS_ENDPOINT_URL names {origin(made.meta.endpoint_url)}, which is not AWS's own, "
                "although the queue is: an event of an account is not sent to an emulator"
            )
        return made

    def reachable(self, service: str) -> bool:
        """Whether a service may be called: an emulator goes with emulators only, and AWS with AWS.

        Raises:
            UsageError: As for `client`.
        """
        return self.emulated is None or self.emulated == self.is_emulated(service)

    def is_emulated(self, service: str) -> bool:
        """Whether calls of a service go to a host that is not AWS's.

        Raises:
            UsageError: As for `client`.
        """
        return not is_aws(self._client(service).meta.endpoint_url)

    def use_queue(self, url: str, *, typed: bool) -> None:
        """Send the calls about a queue where its URL says, unless a variable names another endpoint.

        Args:
            url: Of the queue.
            typed: Whether it was given as an option: then it wins over every variable.

        Raises:
            UsageError: As for `client`.
        """
        sdk = self._client("sqs").meta.endpoint_url
        chosen: dict[str, Any] = {}
        if is_aws(url) and is_public_queue(url):
            # AWS's name of the queue, whichever way leads there: FIPS, dual-stack, a VPC endpoint.
            if typed and not is_aws(sdk):
                chosen = {"ignore_configured_endpoint_urls": True}
        elif typed or (is_public_queue(sdk) if is_aws(url) else is_aws(sdk)):
            # botocore refuses an endpoint that is named together with these two.
            chosen = {"endpoint_url": origin(url), "use_fips_endpoint": False, "use_dualstack_endpoint": False}
        self._settings["sqs"] = chosen
        self._clients.clear()
        self.emulated = self.is_emulated("sqs")

    @cached_property
    def credentials_problem(self) -> Problem | None:
        """Why there are no credentials; None where there are. To be asked before a client is made, which looks, too."""
        try:
            found = self._core.get_credentials()
            if found is None:
                return explain(NoCredentialsError())
            found.get_frozen_credentials()
        except Exception as error:
            problem = explain(error)
            if problem is None:
                raise
            return problem
        return None

    def check_credentials(self) -> None:
        """Look for credentials, before the first call.

        Raises:
            UnavailableError: There are none that hold.
            UsageError: A setting of theirs is wrong.
        """
        if (problem := self.credentials_problem) is not None:
            raise as_error("AWS cannot be asked", problem)

    def _client(self, service: str, **config: Any) -> Any:
        key = (service, repr(sorted(config.items())))
        if key not in self._clients:
            made = self._make(service, config)
            if not is_aws(made.meta.endpoint_url):
                made = self._make(service, {"proxies": {}, **config})  # a proxy is for the world outside
            self._clients[key] = made
        return self._clients[key]

    def _make(self, service: str, config: Mapping[str, Any]) -> Any:
        chosen = dict(self._settings.get(service, {}))
        endpoint_url = chosen.pop("endpoint_url", None)
        make: Any = self._session.client
        try:
            attempts = self._core.get_config_variable("max_attempts") or ATTEMPTS
        except ValueError as error:
            raise UsageError("AWS_MAX_ATTEMPTS must be a whole number") from error
        settings = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"mode": "standard", "total_max_attempts": attempts},
            "user_agent_extra": f"mep/{_version()}",
            **chosen,
            **config,
        }
        try:
            return make(service, endpoint_url=endpoint_url, config=Config(**settings))
        except BotoCoreError as error:
            raise UsageError(f"boto3 cannot make a client of {service}: {' '.join(str(error).split())}") from error
        except ValueError as error:  # botocore's word for an endpoint that is none
            if endpoint_url is not None:
                raise UsageError("the queue's URL must have a host of letters, digits, . and -") from error
            variable = f"AWS_ENDPOINT_URL_{_service_id(service)}"
            variable = variable if os.environ.get(variable) else "AWS_ENDPOINT_URL"
            raise UsageError(f"{variable} must be a URL such as http://127.0.0.1:4566") from error


def open_aws(named: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Aws:
    """Read the region as every AWS SDK does, but for boto3.

    `AWS_REGION` is first, then `AWS_DEFAULT_REGION`, the profile's `region`, and what is `named`.
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html

    Args:
        named: What the command was given that lies in a region, by the name of its option or variable: URLs of queues,
            ARNs. What is neither has no say.
        environ: The environment; `os.environ` if None. boto3 itself reads the latter in any case.

    Raises:
        UsageError: There is no region, or what was given lies in another, or the profile is wrong.
    """
    environ = os.environ if environ is None else environ
    core = botocore.session.Session()
    try:
        profile_region = str(core.get_scoped_config().get("region", ""))
    except BotoCoreError as error:
        raise UsageError(f"boto3 cannot be set up: {' '.join(str(error).split())}") from error
    candidates = (
        region_variable(environ),
        (f"the region of profile {core.profile or 'default'}", profile_region),
        *((name, region_of(value)) for name, value in named.items()),
    )
    source, region = next(((name, text.strip()) for name, text in candidates if text.strip()), ("", ""))
    if not region:
        raise UsageError("AWS_REGION is not set: give the stack's region, such as eu-central-1")
    if not _REGION.fullmatch(region):
        raise UsageError(f"{source} must be the name of a region such as eu-central-1")
    for name, value in named.items():
        there = region_of(value)
        if there and there != region.removeprefix("fips-").removesuffix("-fips"):
            raise UsageError(f"{name} lies in {there}, but {source} is {region}: set AWS_REGION={there}, or correct it")
    return Aws(region, core)


def endpoint_variable(client: Any) -> str:
    """The standard variable for the endpoint of a client's service."""
    return f"AWS_ENDPOINT_URL_{client.meta.service_model.service_id.hyphenize().replace('-', '_').upper()}"


def _service_id(service: str) -> str:
    model = botocore.session.Session().get_service_model(service)
    return str(model.service_id.hyphenize().replace("-", "_").upper())


def _look_at_reply(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Note in a reply the host that gave it; raise for a success that is no reply of AWS's. botocore's `after-call`."""
    host = authority(http_response.url)
    parsed.setdefault("ResponseMetadata", {})["Host"] = host
    if http_response.status_code >= 300 or model.has_streaming_output:
        return
    wanted = _ALWAYS.get(model.name)
    if not _is_reply(http_response.content, model) or (wanted is not None and wanted not in parsed):
        raise UnreadableReplyError(host=host, operation=model.name)


def _is_reply(content: bytes, model: Any) -> bool:
    if model.service_model.resolved_protocol not in {"json", "rest-json"}:
        return True
    if not content:
        return not (model.output_shape and model.output_shape.members)
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


@cache
def _version() -> str:
    try:
        return version("mark-earnings-processed")
    except PackageNotFoundError:  # run from a copy that was not installed
        return "0"
