"""The settings of the commands that call AWS: options first, then environment variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from handler.contract import AUDIT, CALENDAR
from mep.aws import AwsClients, open_aws
from mep.errors import UsageError
from monitoring.names import StackNames

QUEUE_VARIABLE = "DEAD_LETTER_QUEUE_URL"
_QUEUE_URL = re.compile(r"https?://[^/\s]+/\S+")


@dataclass(frozen=True, slots=True)
class Settings:
    """The resources of one stack.

    Attributes:
        aws: The boto3 clients.
        environment: The stack's environment; the dimension of its metrics.
        queue_url: The dead-letter queue; empty where none is set.
        calendar_table: Name of the calendar table.
        audit_table: Name of the audit table.
    """

    aws: AwsClients
    environment: str
    queue_url: str
    calendar_table: str
    audit_table: str

    @property
    def function_name(self) -> str:
        """The name that the stack gives to the function."""
        return StackNames(self.environment).name


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    queue_url: str | None = None,
    needs_queue: bool = True,
    regional_options: Mapping[str, str | None] | None = None,
) -> Settings:
    """Read the settings.

    Args:
        environ: The environment; `os.environ` if None.
        queue_url: The option; overrides `DEAD_LETTER_QUEUE_URL` and every variable for the endpoint of SQS.
        needs_queue: Whether a missing queue URL is an error.
        regional_options: Further options whose value may be an ARN, by name.

    Raises:
        UsageError: A setting is missing or invalid; the message names it and says what to do.
    """
    environ = os.environ if environ is None else environ
    url_source = "--queue-url" if queue_url else QUEUE_VARIABLE
    url = (queue_url or environ.get(QUEUE_VARIABLE, "")).strip()
    if not url and needs_queue:
        raise UsageError(f"{QUEUE_VARIABLE} is not set: set it to the queue's URL, or use --queue-url")
    if url and not _is_queue_url(url):
        raise UsageError(f"{url_source} must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    calendar_table = _value(environ, CALENDAR.variable, CALENDAR.default)
    audit_table = _value(environ, AUDIT.variable, AUDIT.default)
    regional = {
        url_source: url,
        CALENDAR.variable: calendar_table,
        AUDIT.variable: audit_table,
        **(regional_options or {}),
    }
    aws = open_aws({name: value for name, value in regional.items() if value}, environ)
    if url and aws.credentials_problem is None:
        aws.use_queue(url, is_option=bool(queue_url))
    return Settings(aws, _value(environ, "ENVIRONMENT", "dev"), url, calendar_table, audit_table)


def _value(environ: Mapping[str, str], name: str, default: str) -> str:
    """Return a variable's value; the default where it is not set or blank."""
    return environ.get(name, "").strip() or default


def _is_queue_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(_QUEUE_URL.fullmatch(url) and parts.hostname and parts.port != 0)
    except ValueError:  # an invalid port, or an unclosed bracket
        return False
