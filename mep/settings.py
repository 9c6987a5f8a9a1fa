"""What the commands against AWS are told: options first, then the environment's variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from handler.contract import AUDIT, CALENDAR
from mep.aws import Aws, open_aws
from mep.errors import UsageError

QUEUE_VARIABLE = "DEAD_LETTER_QUEUE_URL"
_QUEUE_URL = re.compile(r"https?://[^/\s]+/\S+")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is.

    Attributes:
        aws: What AWS is called with.
        environment: Of the stack; the dimension of metrics.
        queue_url: Of the dead-letter queue; empty where none was named.
        calendar_table: Name of the calendar's table.
        audit_table: Name of the audit table.
    """

    aws: Aws
    environment: str
    queue_url: str
    calendar_table: str
    audit_table: str


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    queue_url: str | None = None,
    needs_queue: bool = True,
    named: Mapping[str, str | None] | None = None,
) -> Settings:
    """Read the settings.

    Args:
        environ: The environment; `os.environ` if None.
        queue_url: The option; wins over `DEAD_LETTER_QUEUE_URL`, and over what names an endpoint of SQS.
        needs_queue: Whether the command is about the queue.
        named: Options that may hold an ARN, by their names.

    Raises:
        UsageError: One is missing or wrong; names it and says what to do.
    """
    environ = os.environ if environ is None else environ
    name = "--queue-url" if queue_url else QUEUE_VARIABLE
    url = (queue_url or environ.get(QUEUE_VARIABLE, "")).strip()
    if not url and needs_queue:
        raise UsageError(f"{QUEUE_VARIABLE} is not set: give the queue's URL there or with --queue-url")
    if url and not _is_queue_url(url):
        raise UsageError(f"{name} must be a URL such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
    calendar_table = text_of(environ, CALENDAR.variable, CALENDAR.default)
    audit_table = text_of(environ, AUDIT.variable, AUDIT.default)
    in_regions = {
        name: url,
        CALENDAR.variable: calendar_table,
        AUDIT.variable: audit_table,
        **(named or {}),
    }
    aws = open_aws({name: value for name, value in in_regions.items() if value}, environ)
    if url and aws.credentials_problem is None:
        aws.use_queue(url, typed=bool(queue_url))
    return Settings(aws, text_of(environ, "ENVIRONMENT", "dev"), url, calendar_table, audit_table)


def text_of(environ: Mapping[str, str], name: str, default: str) -> str:
    """A variable's text; the default where it is not set or blank."""
    return environ.get(name, "").strip() or default


def _is_queue_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(_QUEUE_URL.fullmatch(url) and parts.hostname and parts.port != 0)
    except ValueError:  # a port that is no number, a bracket without its other half
        return False
