"""What a run talks to from its own side: the two tables, and the queue that is the net."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from emulator.calendar_csv import CalendarRow
from emulator.clients import loopback_client
from emulator.errors import EmulatorError, InputError
from emulator.pipeline.destinations import Destination, SqsDestination
from emulator.services.sqs import DeadLetter, QueueEndpoint, drain, sqs_client
from emulator.services.tables import create_tables, dump, load

CALENDAR_TABLE = "earningsCalendar"
AUDIT_TABLE = "earningsAudit"


class CalendarTables:
    """The two tables of a run; a context manager that owns its client.

    Args:
        url: The DynamoDB's endpoint.
        region: Its region.
        credentials: The `AWS_*` variables to sign with.

    Raises:
        InputError: The URL or the region is none.
    """

    def __init__(self, url: str, region: str, credentials: Mapping[str, str]) -> None:
        self._url = url
        try:
            self._client = loopback_client(
                "dynamodb",
                url,
                region,
                credentials=credentials,
                # A wrong address must not take half a minute to be told.
                retries={"mode": "standard", "total_max_attempts": 3},
            )
        except (ValueError, BotoCoreError) as error:
            raise InputError(f"{url} in region {region} cannot be used: {error}") from error

    def load(self, rows: Sequence[CalendarRow]) -> None:
        """Make the tables and load the calendar. What is there already stays as it is.

        Raises:
            EmulatorError: The DynamoDB does not answer, or not as it should.
        """
        with self._serving():
            create_tables(self._client, CALENDAR_TABLE, AUDIT_TABLE)
            load(self._client, CALENDAR_TABLE, rows)

    def calendar(self) -> list[dict[str, Any]]:
        """Return the calendar's items as plain JSON.

        Raises:
            EmulatorError: As for `load`.
        """
        with self._serving():
            return dump(self._client, CALENDAR_TABLE)

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit records as plain JSON.

        Raises:
            EmulatorError: As for `load`.
        """
        with self._serving():
            return dump(self._client, AUDIT_TABLE)

    @contextmanager
    def _serving(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise EmulatorError(f"DynamoDB at {self._url} does not serve: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def drain_dead_letters(queue: QueueEndpoint) -> list[DeadLetter]:
    """Take every message out of `queue`.

    Raises:
        EmulatorError: It does not answer any more.
    """
    try:
        return drain(queue)
    except (BotoCoreError, ClientError) as error:
        raise EmulatorError(f"the queue at {queue.url} does not serve: {error}") from error


@contextmanager
def sqs_destination(queue: QueueEndpoint) -> Iterator[Destination]:
    """Yield `queue` as a net of the chain."""
    with closing(sqs_client(queue.url, queue.region)) as client:
        yield SqsDestination(client, queue.queue_url)
