"""Creates what the function of docker-compose.yml needs: its tables with the sample calendar, and its queue.

    python prepare.py        for the DynamoDB at AWS_ENDPOINT_URL_DYNAMODB and the SQS at AWS_ENDPOINT_URL_SQS

It may run again: existing tables, rows and queues are not changed.
"""

import os
import sys
from contextlib import closing

from emulator.calendar_csv import RejectedRow, read_calendar
from emulator.environment import SAMPLES
from emulator.errors import EmulatorError
from emulator.services.dynamodb import dynamodb_client
from emulator.services.loading import load
from emulator.services.sqs import create_queue
from emulator.services.tables import AUDIT_TABLE, CALENDAR_TABLE, create_tables


def main() -> None:
    """Create the tables and the queue.

    Raises:
        SystemExit: One of them could not be created; the message is one line.
    """
    try:
        with closing(dynamodb_client(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])) as client:
            create_tables(client)
            with read_calendar(SAMPLES / "calendar.csv", _reject) as rows:
                loaded = load(client, CALENDAR_TABLE, rows)
        queue = create_queue(os.environ["AWS_ENDPOINT_URL_SQS"])
    except EmulatorError as error:
        sys.exit(f"prepare.py: {error}")
    sys.stdout.write(f"tables {CALENDAR_TABLE} and {AUDIT_TABLE}, {loaded} new rows; queue {queue.queue_url}\n")


def _reject(row: RejectedRow) -> None:
    raise EmulatorError(f"the sample calendar: {row}")


if __name__ == "__main__":
    main()
