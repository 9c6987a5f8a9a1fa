"""The last scenario of the demo: a dead letter is redriven, with the engine of `mep dlq redrive`."""

from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console

from emulator.calendar_rows import CalendarRow
from emulator.clients import loopback_client
from emulator.pipeline.api import serve_event_bus
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import sqs_client
from emulator.services.tables import AUDIT_TABLE
from handler.contract import AUDIT, AUDIT_ACTION, BUS
from mep.demo.checks import Check, check
from mep.dlq import render
from mep.dlq.audit import Action, AuditTrail
from mep.dlq.destinations import Bus
from mep.dlq.queue import Queue
from mep.dlq.redrive import Redriver, plan
from mep.dlq.results import ActionName, MessageState, Recorder
from mep.dlq.sentences import counts_sentence
from mep.dlq.session import OperatorMetrics
from mep.local.jsonl import read_jsonl
from mep.local.run import CompletedRun

LATE_ROW = CalendarRow(("SNOW", "2025-08-27"))
CORRELATION_ID = "demo-early"


class RedriveDemo:
    """Loads the missing row, then redrives the dead letters.

    Args:
        dynamodb: The DynamoDB with the audit table.
        screen: Where the output goes.

    Attributes:
        checks: The checks of the redrive, once it has been called.
    """

    def __init__(self, dynamodb: DynamoDBEndpoint, screen: Console) -> None:
        self._dynamodb = dynamodb
        self._screen = screen
        self.checks: list[Check] = []

    def __call__(self, run: CompletedRun) -> None:
        """Redrive, between the first delivery and the second."""
        metrics = OperatorMetrics(None, "local", self._screen.print)
        with ExitStack() as stack:
            events_url = stack.enter_context(serve_event_bus(run.pipeline))
            destination = Bus(stack.enter_context(closing(loopback_client("events", events_url))), BUS)
            sqs = stack.enter_context(closing(sqs_client(run.queue.url, run.queue.region)))
            dynamodb = stack.enter_context(closing(self._dynamodb.client()))
            queue = Queue(sqs, run.queue.queue_url)
            dead_letters = queue.read().dead_letters
            self._screen.print(render.listing(dead_letters, "category"))
            unforced = plan(dead_letters, destination, force=False)
            first = Recorder(ActionName.REDRIVE, dead_letters, destination.name)
            unforced.record(first)
            render.print_kept(first.result().of(MessageState.SKIPPED), self._screen)
            run.tables.load([LATE_ROW])
            self._screen.print("the calendar now has the row; the redrive is repeated with --force:")
            forced = plan(dead_letters, destination, force=True)
            audit = AuditTrail(dynamodb, AUDIT_TABLE, "demo")
            recorder = Recorder(ActionName.REDRIVE, dead_letters, destination.name)
            forced.record(recorder)
            Redriver(queue, destination, audit, metrics).run(forced.selected, recorder)
            queue.release()
        result = recorder.result()
        self._screen.print(counts_sentence(result))
        sent = [message.dead_letter.correlation_id for message in result.of(MessageState.SENT)]
        groups = [dead_letter.group for dead_letter in dead_letters]
        self.checks = [
            check("an event without a calendar row is a dead letter", groups, ["not_found"]),
            check("a permanent failure is not redriven without --force", len(unforced.selected), 0),
            check("the bus accepts the event that is redriven with --force", sent, [CORRELATION_ID]),
        ]


def redrive_checks(out: Path) -> list[Check]:
    """Return the checks of the files after the second delivery."""
    key = "#".join(LATE_ROW.key)
    actions = [entry["action"] for entry in read_jsonl(out / "audit.jsonl") if entry[AUDIT.key[0]] == key]
    traces = {
        span["trace_id"]
        for span in read_jsonl(out / "spans.jsonl")
        if span["attributes"].get("correlation_id") == CORRELATION_ID
    }
    remaining = [dead_letter["message_id"] for dead_letter in read_jsonl(out / "dlq.jsonl")]
    return [
        check("the queue is empty", remaining, []),
        check(
            "the audit table has an entry for every step",
            sorted(actions),
            sorted([Action.REDRIVE_REQUESTED, Action.REDRIVEN, AUDIT_ACTION]),
        ),
        check("one correlation ID finds both deliveries", len(traces), 2),
    ]
