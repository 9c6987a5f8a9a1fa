"""The soak's redrive of transient failures, by the code behind `mep dlq redrive`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from emulator.clients import loopback_client
from emulator.pipeline.api import serve_api
from emulator.pipeline.pipeline import EventPipeline
from emulator.services.sqs import QueueEndpoint, sqs_client
from emulator.services.tables import AUDIT_TABLE
from mep.dlq.audit import AuditTrail
from mep.dlq.destinations import Function
from mep.dlq.queue import Queue, QueueSnapshot
from mep.dlq.redrive import Redriver, plan
from mep.dlq.results import ActionName, MessageState, Recorder
from mep.dlq.session import OperatorMetrics

ROUNDS = 5
_RATE = 1_000.0
_ALL_MESSAGES = 1_000_000


def redrive_all(
    pipeline: EventPipeline, dynamodb_url: str, queue: QueueEndpoint, function: str, say: Callable[[str], None]
) -> int:
    """Redrive what is transient until nothing transient is left, at most `ROUNDS` times.

    Args:
        pipeline: Delivers what is redriven.
        dynamodb_url: URL of the DynamoDB with the audit table.
        queue: The dead-letter queue.
        function: ARN of the function.
        say: Called with a line if a message is not accepted.

    Returns:
        The number of redriven messages.

    Raises:
        RunError: The queue, the audit table or the Invoke API cannot be used.
    """
    sent = 0
    with ExitStack() as stack:
        url = stack.enter_context(serve_api(pipeline))
        destination = Function(stack.enter_context(closing(loopback_client("lambda", url))), function)
        dynamodb = stack.enter_context(closing(loopback_client("dynamodb", dynamodb_url)))
        audit = AuditTrail(dynamodb, AUDIT_TABLE, "soak")
        for _ in range(ROUNDS):
            with _open_queue(queue) as (session, reading):
                selected = plan(reading.dead_letters, destination, force=False).selected
                redrive = Redriver(
                    session, destination, audit, OperatorMetrics(None, "soak", lambda _: None), rate=_RATE
                )
                recorder = Recorder(ActionName.REDRIVE, selected, destination.name)
                redrive.run(selected, recorder)
            result = recorder.result()
            sent += result.counts[MessageState.SENT]
            if failed := result.of(MessageState.FAILED, MessageState.UNCERTAIN):
                say(f"{len(failed)} messages were not accepted: {failed[0].reason}")
            if not selected:
                break
            pipeline.run()
    return sent


def read_all(queue: QueueEndpoint) -> QueueSnapshot:
    """Return every message in the queue, and whether SQS had more that it did not return."""
    with _open_queue(queue) as (_, reading):
        return reading


@contextmanager
def _open_queue(queue: QueueEndpoint) -> Iterator[tuple[Queue, QueueSnapshot]]:
    with closing(sqs_client(queue.url, queue.region)) as sqs:
        session = Queue(sqs, queue.queue_url)
        try:
            yield session, session.read(_ALL_MESSAGES)
        finally:
            session.release()
