"""Makes what the function of docker-compose.yml needs: its tables, its queue, and a calendar to mark rows of.

    python prepare.py        AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL_SQS say where

Can be run again: what is there already stays.
"""

import os
import sys
from contextlib import closing

from emulator.calendar_csv import read_calendar
from emulator.environment import SAMPLES
from emulator.errors import EmulatorError
from emulator.services.dynamodb import dynamodb_client
from emulator.services.sqs import create_queue
from emulator.services.tables import create_tables, load

CALENDAR, AUDIT = "earningsCalendar", "earningsAudit"


def main() -> None:
    """Make it all.

    Raises:
        SystemExit: with one line that says what went wrong.
    """
    try:
        with closing(dynamodb_client(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])) as client:
            create_tables(client, CALENDAR, AUDIT)
            loaded = load(client, CALENDAR, read_calendar(SAMPLES / "calendar.csv"))
        queue = create_queue(os.environ["AWS_ENDPOINT_URL_SQS"])
    except EmulatorError as error:
        sys.exit(f"prepare.py: {error}")
    sys.stdout.write(f"tables {CALENDAR} and {AUDIT}, {loaded} new rows; queue {queue.queue_url}\n")


if __name__ == "__main__":
    main()
