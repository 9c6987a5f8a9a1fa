"""Where the queue, the tables and the way back are: options first, then the standard variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from local.errors import RunError, UsageError

_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_ACTUAL_QUEUE = re.compile(r"https?://[^/\s]+/\S+")


@dataclass(frozen=True, slots=True)
class DlqSettings:
    """What every `mep dlq` command needs to know.

    Attributes:
        queue_url: of the dead-letter queue.
        region: AWS region of everything.
        environment: dimension of metrics.
        audit_table: name of the audit table.
        environ: for the endpoints; normally `os.environ`.
    """

    queue_url: str
    region: str
    environment: str
    audit_table: str
    environ: Mapping[str, str]

    def endpoint(self, service: str) -> str | None:
        """The URL that the standard variables name for a service (`sqs`, `events`, ...); None for AWS's own."""
        found = self.environ.get(_endpoint_variable(service)) or self.environ.get("AWS_ENDPOINT_URL")
        return found or None

    @property
    def emulated(self) -> bool:
        """Whether the queue is not AWS's: then nothing may go to AWS by mistake either."""
        endpoint = self.endpoint("sqs")
        host = (urlsplit(endpoint).hostname or "") if endpoint else ""
        return bool(endpoint) and not f".{host}".endswith(_AWS_HOSTS)

    def reachable(self, service: str) -> bool:
        """Whether a service may be called: an emulated queue goes with emulated services only."""
        return not self.emulated or self.endpoint(service) is not None

    def client(self, service: str) -> Any:
        """A client that retries throttles and lost connections as AWS's standard mode does.

        Raises:
            UsageError: the queue is emulated and no endpoint is named for this service, or the endpoint is no URL.
            RunError: botocore refuses for another reason.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        if not self.reachable(service):
            raise UsageError(
                f"{_endpoint_variable(service)} is not set, although the queue is not AWS's own: "
                "an event from an emulator is not sent to an account"
            )
        make: Any = boto3.client
        try:
            return make(
                service,
                region_name=self.region,
                endpoint_url=self.endpoint(service),
                config=Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"mode": "standard", "total_max_attempts": 4},
                    proxies={} if self.emulated else None,
                ),
            )
        except ValueError as error:  # botocore's word for an endpoint that is none
            raise UsageError(f"{_endpoint_variable(service)}: {error}") from error
        except BotoCoreError as error:
            raise RunError(f"cannot call {service}: {error}") from error


def load_settings(environ: Mapping[str, str] | None = None, *, queue_url: str | None = None) -> DlqSettings:
    """Read the settings.

    Args:
        environ: the environment; `os.environ` if None.
        queue_url: the option; wins over `DEAD_LETTER_QUEUE_URL`.

    Raises:
        UsageError: one is missing or wrong; names it and says what to do.
    """
    environ = os.environ if environ is None else environ
    name = "--queue-url" if queue_url else "DEAD_LETTER_QUEUE_URL"
    url = (queue_url or environ.get("DEAD_LETTER_QUEUE_URL", "")).strip()
    if not url:
        raise UsageError("DEAD_LETTER_QUEUE_URL is not set: give the queue's URL there or with --queue-url")
    if not _ACTUAL_QUEUE.fullmatch(url):
        raise UsageError(f"{name} must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or _region_of(url)
    if not region:
        raise UsageError("AWS_REGION is not set: give the queue's region")
    return DlqSettings(
        queue_url=url,
        region=region,
        environment=environ.get("ENVIRONMENT", "").strip() or "dev",
        audit_table=environ.get("EARNINGS_AUDIT_TABLE", "").strip() or "earningsAudit",
        environ=environ,
    )


def _endpoint_variable(service: str) -> str:
    """AWS's SDKs name it by the service's ID, which for boto3's `events` is `EventBridge`."""
    return f"AWS_ENDPOINT_URL_{'EVENTBRIDGE' if service == 'events' else service.upper()}"


def _region_of(queue_url: str) -> str:
    match = re.fullmatch(r"sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?", urlsplit(queue_url).hostname or "")
    return match[1] if match else ""


def one_line(error: Exception) -> str:
    """AWS's error in one line: its code and its text."""
    return " ".join(str(error).split())
