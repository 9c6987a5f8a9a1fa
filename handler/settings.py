"""All settings of the function, read and checked once, at start.

Standard variables come first: AWS endpoints, region and credentials are read by boto3 itself, `OTEL_*` mean what the
OpenTelemetry specification says. What is checked here is what a wrong value would otherwise break much later: for where
it goes, not only for its form (`handler.aws_settings` what goes to AWS, `otel.settings` what goes into telemetry).
"""

from collections.abc import Mapping
from typing import NamedTuple

from handler import contract
from handler.aws_settings import check_aws, queue_url, table
from handler.coldstart import COLD_START, FAST, STANDARD
from handler.errors import SettingsError
from otel.settings import TelemetrySettings
from otel.settings.environ import EnvReader, one_of

FLUSH_RESERVE_SECONDS = 2.0
"""Part of every invocation's time that is reserved for the export of telemetry and the response."""

MAX_SOURCE = 256
"""Characters of an event's `source`: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html"""


class Settings(NamedTuple):
    """The settings of the function.

    Attributes:
        calendar_table: Name or ARN of the DynamoDB table with the rows to mark.
        audit_table: Name or ARN of the append-only DynamoDB table.
        dead_letter_queue_url: URL of the SQS queue for events that fail permanently.
        event_source: The `source` that events must have.
        connect_timeout: Seconds to wait for a connection to AWS.
        read_timeout: Seconds to wait for each response of AWS.
        region: AWS region of the tables and the queue.
        function_version: Version of the Lambda function; `$LATEST` by default.
        telemetry: The settings of `otel`.
        fast_start: False if libraries load as they are, with botocore's own session.
    """

    calendar_table: str
    audit_table: str
    dead_letter_queue_url: str
    event_source: str
    connect_timeout: float
    read_timeout: float
    region: str
    function_version: str
    telemetry: TelemetrySettings
    fast_start: bool = True

    @property
    def attempt_timeout(self) -> float:
        """The maximum duration of one attempt, seconds."""
        return self.connect_timeout + self.read_timeout


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 60:
        raise ValueError
    return value


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read every setting.

    Args:
        environ: The environment, normally `os.environ`.

    Raises:
        SettingsError: Names every variable that is missing or invalid.
    """
    read = EnvReader(environ)
    telemetry = TelemetrySettings.from_environ(read, contract.FUNCTION_NAME)
    region = telemetry.region
    if not read.raw("AWS_REGION") and not read.raw("AWS_DEFAULT_REGION"):
        read.add("AWS_REGION", "AWS_REGION is not set: give the region of the tables and the queue")
    check_aws(read, region)
    calendar, audit = contract.CALENDAR, contract.AUDIT
    settings = Settings(
        calendar_table=table(read, calendar.variable, calendar.default, region),
        audit_table=table(read, audit.variable, audit.default, region),
        dead_letter_queue_url=queue_url(read, region),
        event_source=read.text(
            "EVENT_SOURCE",
            contract.DEFAULT_SOURCE,
            lambda text: len(text) <= MAX_SOURCE,
            f"1 to {MAX_SOURCE} characters, as the source of an EventBridge event",
        ),
        connect_timeout=read.parsed("AWS_CONNECT_TIMEOUT_SECONDS", 1.0, _seconds, "seconds between 0 and 60"),
        read_timeout=read.parsed("AWS_READ_TIMEOUT_SECONDS", 3.0, _seconds, "seconds between 0 and 60"),
        region=region,
        function_version=telemetry.function_version,
        telemetry=telemetry,
        fast_start=read.parsed(COLD_START, FAST, one_of(FAST, STANDARD), f"{FAST} or {STANDARD}") == FAST,
    )
    if settings.calendar_table == settings.audit_table:
        read.refuse(audit.variable, f"another table than {calendar.variable}")
    if read.problems:
        raise SettingsError(read.problems, telemetry)
    return settings
