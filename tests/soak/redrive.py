"""The soak's redrive: what would mend itself goes back to the chain, by the code behind `mep dlq redrive`."""

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
from mep.dlq.redrive import Redriver, RedriveResult, plan
from mep.dlq.session import OperatorMetrics

ROUNDS = 5
_RATE = 1_000.0
_LETTERS = 1_000_000


def redrive_all(
    pipeline: EventPipeline, dynamodb_url: str, queue: QueueEndpoint, function: str, say: Callable[[str], None]
) -> int:
    """Redrive what is transient until nothing transient is left, at most `ROUNDS` times.

    Args:
        pipeline: Takes what is sent again, and brings it to an end.
        dynamodb_url: Where the audit table is.
        queue: Holds the letters.
        function: Its ARN.
        say: Told what went wrong.

    Returns:
        How many letters were sent again.

    Raises:
        RunError: The queue, the audit table or the way back cannot be used.
    """
    sent = 0
    with ExitStack() as stack:
        url = stack.enter_context(serve_api(pipeline))
        destination = Function(stack.enter_context(closing(loopback_client("lambda", url))), function)
        dynamodb = stack.enter_context(closing(loopback_client("dynamodb", dynamodb_url)))
        audit = AuditTrail(dynamodb, AUDIT_TABLE, "soak")
        for _ in range(ROUNDS):
            done = RedriveResult()
            with _held(queue) as (held, reading):
                chosen = plan(reading.dead_letters, destination, force=False).selected
                redrive = Redriver(held, destination, audit, OperatorMetrics(None, "soak", lambda _: None), rate=_RATE)
                redrive.run(chosen, done)
            sent += len(done.sent)
            if done.failed:
                say(f"{len(done.failed)} letters were not accepted: {done.failed[0].reason}")
            if not chosen:
                break
            pipeline.run()
    return sent


def read_all(queue: QueueEndpoint) -> QueueSnapshot:
    """Every letter that lies in the queue, and whether SQS had more that it did not show."""
    with _held(queue) as (_, reading):
        return reading


@contextmanager
def _held(queue: QueueEndpoint) -> Iterator[tuple[Queue, QueueSnapshot]]:
    with closing(sqs_client(queue.url, queue.region)) as sqs:
        held = Queue(sqs, queue.queue_url)
        try:
            yield held, held.read(_LETTERS)
        finally:
            held.release()
