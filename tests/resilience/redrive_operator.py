"""An operator with `mep dlq`: the code behind its commands, which can be killed before or after any call."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from emulator.clients import loopback_client
from emulator.services.sqs import sqs_client
from mep.dlq.audit import AuditTrail
from mep.dlq.destinations import Bus
from mep.dlq.discard import discard
from mep.dlq.discard import plan as plan_discard
from mep.dlq.queue import Queue
from mep.dlq.redrive import Redriver, plan
from mep.dlq.results import ActionName, ActionResult, Recorder
from mep.dlq.session import OperatorMetrics
from tests.support.stores import DeadLetters, Tables


class Killed(BaseException):
    """The command's process is killed here."""


@dataclass
class Operator:
    """Runs commands, each with clients of its own.

    Attributes:
        queue_url: URL of the SQS API.
        bus_url: URL of the EventBridge API.
        dead_letters: The queue.
        tables: The tables.
        handles: Every receipt handle that the queue issued, in order.
        dies_at: When the next command is killed: 2n before its call n, 2n+1 after it; an operation before its first
            call; None for never.
    """

    queue_url: str
    bus_url: str
    dead_letters: DeadLetters
    tables: Tables
    handles: Collection[str]
    dies_at: int | str | None = None

    def redrive(self, *, force: bool) -> ActionResult:
        """Redrive all dead letters, as `mep dlq redrive` does; return what it knows when it ends or is killed."""
        recorder = Recorder(ActionName.REDRIVE, [])
        with self._session() as (queue, bus, audit, metrics):
            dead_letters = queue.read().dead_letters
            recorder = Recorder(ActionName.REDRIVE, dead_letters, bus.name)
            planned = plan(dead_letters, bus, force=force)
            planned.record(recorder)
            redrive = Redriver(queue, bus, audit, metrics, sleep=lambda _: None)
            redrive.run(planned.selected, recorder)
        return recorder.result()

    def discard(self, category: str) -> ActionResult:
        """Discard a category, as `mep dlq discard --category` does; return what it knows when it ends or is killed."""
        recorder = Recorder(ActionName.DISCARD, [])
        with self._session() as (queue, _, audit, metrics):
            selected = [dead_letter for dead_letter in queue.read().dead_letters if dead_letter.group == category]
            recorder = Recorder(ActionName.DISCARD, selected)
            planned = plan_discard(selected)
            planned.record(recorder)
            discard(planned.selected, "a test", queue, audit, metrics, recorder)
        return recorder.result()

    @contextmanager
    def _session(self) -> Iterator[tuple[Queue, Bus, AuditTrail, OperatorMetrics]]:
        moments, issued = 0, len(self.handles)

        def moment(event_name: str, **_: Any) -> None:
            nonlocal moments
            moments += 1
            if self.dies_at in {moments - 1, event_name.rpartition(".")[2]}:
                raise Killed

        with ExitStack() as stack:
            sqs = stack.enter_context(closing(sqs_client(self.queue_url)))
            events = stack.enter_context(closing(loopback_client("events", self.bus_url)))
            dynamodb = stack.enter_context(closing(loopback_client("dynamodb", self.tables.url)))
            for client in (sqs, events, dynamodb):
                client.meta.events.register("before-send", moment)
                client.meta.events.register("response-received", moment)
            queue = Queue(sqs, self.dead_letters.queue_url)
            with suppress(Killed):
                audit = AuditTrail(dynamodb, self.tables.audit_table, "alice")
                yield queue, Bus(events, "earnings"), audit, OperatorMetrics(None, "test", print)
            # After a kill, the visibility timeout makes the messages visible again, also those not yet processed.
            self.dies_at = None
            queue.release()
            self.dead_letters.show_again(list(self.handles)[issued:])
