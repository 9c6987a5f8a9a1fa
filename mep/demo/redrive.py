"""The demo's last act: a dead letter is brought back, by the code behind `mep dlq redrive`."""

from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console

from emulator.calendar_csv import CalendarRow
from emulator.clients import loopback_client
from emulator.pipeline.api import BUS, serve_event_bus
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import sqs_client
from emulator.services.tables import AUDIT_TABLE
from handler.contract import AUDIT, AUDIT_ACTION
from mep import terminal
from mep.demo.checks import Check, check
from mep.dlq import render as dead_letters
from mep.dlq.audit import Action, AuditTrail
from mep.dlq.destinations import Bus
from mep.dlq.metrics import OperatorMetrics
from mep.dlq.redrive import Redriver, RedriveResult, plan
from mep.dlq.sqs_queue import Queue
from mep.local.run import CompletedRun

LATE_ROW = CalendarRow(("SNOW", "2025-08-27"))
CORRELATION_ID = "demo-early"


class RedriveDemo:
    """Loads the row that was missing, then redrives what the queue holds.

    Args:
        dynamodb: where the audit table is.
        screen: what is shown.

    Attributes:
        checks_made: what was promised of it, once it has been called.
    """

    def __init__(self, dynamodb: DynamoDBEndpoint, screen: Console) -> None:
        self._dynamodb = dynamodb
        self._screen = screen
        self.checks_made: list[Check] = []

    def __call__(self, run: CompletedRun) -> None:
        """Do it, between the first delivery and the second."""
        done, metrics = RedriveResult(), OperatorMetrics(None, "local", self._screen.print)
        with ExitStack() as stack:
            events_url = stack.enter_context(serve_event_bus(run.pipeline))
            destination = Bus(stack.enter_context(closing(loopback_client("events", events_url))), BUS)
            sqs = stack.enter_context(closing(sqs_client(run.queue.url, run.queue.region)))
            dynamodb = stack.enter_context(closing(self._dynamodb.client()))
            queue = Queue(sqs, run.queue.queue_url)
            found = queue.read().dead_letters
            self._screen.print(dead_letters.listing(found, "category"))
            unforced = plan(found, destination, force=False)
            dead_letters.print_skipped(unforced.kept, self._screen)
            run.database.load([LATE_ROW])
            self._screen.print("the calendar's sync brings the row; now with --force:")
            forced = plan(found, destination, force=True)
            audit = AuditTrail(dynamodb, AUDIT_TABLE, "demo")
            Redriver(queue, destination, audit, metrics).run(forced.send, done)
            queue.release()
        self._screen.print(f"{len(done.sent)} of {len(found)} sent to {destination.name}, and deleted")
        sent = [each.correlation_id for each in done.sent]
        self.checks_made = [
            check("an event that comes before its row is a dead letter", [each.group for each in found], ["not_found"]),
            check("what does not mend itself is not redriven unasked", len(unforced.send), 0),
            check("redriven with --force, it is accepted", sent, [CORRELATION_ID]),
        ]


def redriven(out: Path) -> list[Check]:
    """What must hold of the files after the second delivery."""
    key = "#".join(LATE_ROW.key)
    actions = [record["action"] for record in terminal.read_jsonl(out / "audit.jsonl") if record[AUDIT.key[0]] == key]
    traces = {
        span["trace_id"]
        for span in terminal.read_jsonl(out / "spans.jsonl")
        if span["attributes"].get("correlation_id") == CORRELATION_ID
    }
    left = [dead_letter["message_id"] for dead_letter in terminal.read_jsonl(out / "dlq.jsonl")]
    return [
        check("the queue is empty", left, []),
        check(
            "the audit table tells the whole story",
            sorted(actions),
            sorted([Action.REDRIVE_REQUESTED, Action.REDRIVEN, AUDIT_ACTION]),
        ),
        check("one correlation ID finds both deliveries", len(traces), 2),
    ]
