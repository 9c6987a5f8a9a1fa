"""The function's real process at the end of the chain, every AWS call of it watched, and an operator beside it."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from emulator.clients import loopback_client
from emulator.faults import Exchange, Fault, FaultProxy
from emulator.pipeline.api import ServedRule, serve_api
from emulator.pipeline.destinations import SqsDestination
from emulator.pipeline.model import DeliveryResult, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations
from emulator.pipeline.scheduler import SimulatedScheduler
from emulator.services.sqs import DeadLetter, sqs_client
from mep.dlq.audit import AuditTrail
from mep.dlq.destinations import Bus
from mep.dlq.queue import Queue
from mep.dlq.redrive import Redriver, RedriveResult, plan
from mep.dlq.session import OperatorMetrics
from tests.resilience.scenarios import Path
from tests.support.events import DATE, event
from tests.support.harness import function_environ
from tests.support.process_kill import Moment, Watch
from tests.support.sandbox import PATIENCE, Sandbox, sandbox_process
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import json_lines

_PATTERN = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}


@dataclass(frozen=True, slots=True)
class FailureScenario:
    """What became of one event.

    Attributes:
        event: it.
        watch: the calls of the function.
        endings: of its deliveries.
        row: the calendar row afterwards; None where there is none.
        marks: audit entries of the function for the row.
        dead_letters: what lay in the queue, which is empty then; none if they were to stay there.
        metrics: metric lines of the function.
        outcomes: as the log lines tell them.
    """

    event: dict[str, Any]
    watch: Watch
    endings: list[DeliveryResult]
    row: dict[str, Any] | None
    marks: list[dict[str, Any]]
    dead_letters: list[DeadLetter]
    metrics: list[dict[str, Any]]
    outcomes: list[str]

    def called(self, moment: Moment) -> str:
        """The operation at a moment."""
        return self.watch.calls[moment.number]

    def held(self) -> list[dict[str, Any]]:
        """The events in the letters."""
        bodies = [json.loads(dead_letter.body) for dead_letter in self.dead_letters]
        return [body.get("requestPayload", body) for body in bodies]


@dataclass
class ProcessHarness:
    """Where the stories happen, one after the other; the process stays warm in between, unless it was killed.

    Attributes:
        pipeline: the chain.
        sandbox: the function's process, and what it printed.
        tables: the tables.
        dead_letters: the queue.
        bus_url: of the EventBridge that leads into the chain.
        endings: of the present story.
        watch: what each call meets at present.
    """

    pipeline: EventPipeline
    sandbox: Sandbox
    tables: Tables
    dead_letters: DeadLetters
    bus_url: str
    endings: list[DeliveryResult]
    watch: Watch = field(default_factory=Watch)
    _recorded: dict[Path, FailureScenario] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def recorded(self, path: Path) -> FailureScenario:
        """The path without a kill: which calls there are to be killed at."""
        if path not in self._recorded:
            self._recorded[path] = self.play(path)
        return self._recorded[path]

    def play(self, path: Path, moment: Moment | None = None, *, store_dead_letters: bool = False) -> FailureScenario:
        """Deliver an event on this path, and let the chain come to rest.

        Args:
            path: what it meets.
            moment: when the process is killed.
            store_dead_letters: leave them in the queue; the story has none then.
        """
        number = next(self._numbers)
        symbol = f"S{number}"
        sent = event(symbol, DATE, number)
        sent["detail"] = {**sent["detail"], "correlation_id": f"correlation-{number}", **path.detail}
        if path.row is not None:
            self.tables.put_row(symbol, DATE, **path.row)
        return self._deliver(sent, Watch(self._kill, path.faults, moment), store_dead_letters=store_dead_letters)

    def mended(self, scenario: FailureScenario) -> FailureScenario:
        """Mend the cause, bring every dead letter of the story back, and let the chain come to rest."""
        symbol = scenario.event["detail"]["asset_symbol"]
        if scenario.row is None:
            self.tables.put_row(symbol, DATE)
        return self._deliver(scenario.event, Watch(self._kill), redrive=True)

    def _deliver(
        self, sent: dict[str, Any], watch: Watch, *, redrive: bool = False, store_dead_letters: bool = False
    ) -> FailureScenario:
        symbol = sent["detail"]["asset_symbol"]
        self.watch, printed = watch, len(self.sandbox.stdout)
        self.endings.clear()
        if redrive:
            self._redrive()
        else:
            self.pipeline.put_event(json.dumps(sent).encode())
        self.pipeline.run()
        assert self.pipeline.counters.live == 0
        lines = json_lines("".join(f"{line}\n" for line in self.sandbox.stdout[printed:]).encode())
        return FailureScenario(
            sent,
            watch,
            list(self.endings),
            self.tables.row(symbol, DATE),
            [entry for entry in self.tables.audit(symbol, DATE) if entry["action"] == "mark_processed"],
            [] if store_dead_letters else self.dead_letters.drain(),
            [line for line in lines if "_aws" in line],
            [line["outcome"] for line in lines if line.get("event_type") == "event_outcome"],
        )

    def _redrive(self) -> None:
        with (
            closing(sqs_client(self.dead_letters.url)) as sqs,
            closing(loopback_client("events", self.bus_url)) as events,
        ):
            queue, bus, done = Queue(sqs, self.dead_letters.queue_url), Bus(events, "earnings"), RedriveResult()
            audit = AuditTrail(self.tables.client, self.tables.audit_table, "alice")
            planned = plan(queue.read().dead_letters, bus, force=True)
            Redriver(queue, bus, audit, OperatorMetrics(None, "test", print), 1000).run(planned.selected, done)
            queue.release()
        assert not planned.skipped
        assert len(done.sent) == len(planned.selected)

    def _kill(self) -> None:
        pid = self.sandbox.worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


@contextmanager
def process_harness(
    tables: Tables, dead_letters: DeadLetters, handler: str = "tests.support.wrapping_handlers.told_before_return"
) -> Iterator[ProcessHarness]:
    """Set one up; the process starts with the first event."""
    made: list[ProcessHarness] = []
    endings: list[DeliveryResult] = []

    def meet(exchange: Exchange) -> None:
        made[0].watch.meet(exchange)

    watched = Fault("watched", meet)
    with ExitStack() as stack:
        dynamodb = stack.enter_context(FaultProxy(tables.url, otherwise=watched))
        sqs = stack.enter_context(FaultProxy(dead_letters.url, otherwise=watched))
        returning = stack.enter_context(FaultProxy("http://127.0.0.1:9", otherwise=watched))
        given = function_environ(
            tables,
            dead_letters,
            AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url,
            AWS_ENDPOINT_URL_SQS=sqs.url,
            RETURN_POINT=returning.url.removeprefix("http://"),
        )
        sandbox = stack.enter_context(sandbox_process(given, handler=handler))
        destination = SqsDestination(stack.enter_context(closing(sqs_client(dead_letters.url))), dead_letters.queue_url)
        pipeline = EventPipeline(
            SimulatedScheduler(),
            [sandbox.worker],
            PipelineSettings(timeout_s=PATIENCE),
            destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
            on_result=endings.append,
        )
        rule = ServedRule(_PATTERN, lambda _, __: True, "mark", PipelineSettings().function_arn)
        bus_url = stack.enter_context(serve_api(pipeline, rule))
        made.append(ProcessHarness(pipeline, sandbox, tables, dead_letters, bus_url, endings))
        yield made[0]
