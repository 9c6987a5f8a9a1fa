"""The function's process behind the event pipeline, with a watch on each of its AWS calls, and an operator."""

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
from mep.dlq.redrive import Redriver, plan
from mep.dlq.results import ActionName, MessageState, Recorder
from mep.dlq.session import OperatorMetrics
from tests.resilience.scenarios import Scenario
from tests.support.events import DATE, PATTERN, event
from tests.support.export_modes import export_mode_variables
from tests.support.harness import function_environ
from tests.support.process_kill import Moment, Watch
from tests.support.sandbox import PATIENCE, Sandbox, sandbox_process
from tests.support.stores import DeadLetters, Tables
from tests.support.telemetry import json_lines


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """What happened in one scenario.

    Attributes:
        event: The event.
        watch: The calls of the function.
        results: Results of the event's deliveries.
        row: The calendar row afterwards; None where there is none.
        marks: The function's audit entries for the row.
        dead_letters: The messages in the queue, which are removed; none if they were to stay there.
        metrics: Metric lines of the function.
        outcomes: The outcomes in the log lines.
    """

    event: dict[str, Any]
    watch: Watch
    results: list[DeliveryResult]
    row: dict[str, Any] | None
    marks: list[dict[str, Any]]
    dead_letters: list[DeadLetter]
    metrics: list[dict[str, Any]]
    outcomes: list[str]

    def called(self, moment: Moment) -> str:
        """Return the operation at a moment."""
        return self.watch.calls[moment.number]

    def dead_letter_events(self) -> list[dict[str, Any]]:
        """Return the events in the dead letters."""
        bodies = [json.loads(dead_letter.body) for dead_letter in self.dead_letters]
        return [body.get("requestPayload", body) for body in bodies]


_NUMBERS = count(1)
"""Shared, since several harnesses may use the same tables."""


@dataclass
class ProcessHarness:
    """Runs scenarios one after the other; the process stays warm in between, unless it was killed.

    Attributes:
        pipeline: The event pipeline.
        sandbox: The function's process and its output.
        tables: The tables.
        dead_letters: The queue.
        bus_url: URL of the EventBridge API that leads into the pipeline.
        results: Results of deliveries in the current scenario.
        watch: The watch on the calls of the current scenario.
    """

    pipeline: EventPipeline
    sandbox: Sandbox
    tables: Tables
    dead_letters: DeadLetters
    bus_url: str
    results: list[DeliveryResult]
    watch: Watch = field(default_factory=Watch)
    _recorded: dict[Scenario, ScenarioRun] = field(default_factory=dict)

    def recorded(self, scenario: Scenario) -> ScenarioRun:
        """Return the run of a scenario without a kill: it shows the calls at which the process can be killed."""
        if scenario not in self._recorded:
            self._recorded[scenario] = self.run(scenario)
        return self._recorded[scenario]

    def run(self, scenario: Scenario, moment: Moment | None = None, *, store_dead_letters: bool = False) -> ScenarioRun:
        """Deliver the event of a scenario, and wait until the pipeline is idle.

        Args:
            scenario: The scenario.
            moment: When the process is killed; None for never.
            store_dead_letters: Whether dead letters are left in the queue; the run then has none.
        """
        number = next(_NUMBERS)
        symbol = f"S{number}"
        sent = event(symbol, DATE, number)
        sent["detail"] = {**sent["detail"], "correlation_id": f"correlation-{number}", **scenario.detail}
        if scenario.row is not None:
            self.tables.put_row(symbol, DATE, **scenario.row)
        return self._deliver(sent, Watch(self._kill, scenario.faults, moment), store_dead_letters=store_dead_letters)

    def fix_and_redrive(self, run: ScenarioRun) -> ScenarioRun:
        """Fix the cause, redrive every dead letter of a run, and wait until the pipeline is idle."""
        symbol = run.event["detail"]["asset_symbol"]
        if run.row is None:
            self.tables.put_row(symbol, DATE)
        return self._deliver(run.event, Watch(self._kill), redrive=True)

    def _deliver(
        self, sent: dict[str, Any], watch: Watch, *, redrive: bool = False, store_dead_letters: bool = False
    ) -> ScenarioRun:
        symbol = sent["detail"]["asset_symbol"]
        self.watch, printed = watch, len(self.sandbox.stdout)
        self.results.clear()
        if redrive:
            self._redrive()
        else:
            self.pipeline.put_event(json.dumps(sent).encode())
        self.pipeline.run()
        assert self.pipeline.counters.live == 0
        lines = json_lines("".join(f"{line}\n" for line in self.sandbox.stdout[printed:]).encode())
        return ScenarioRun(
            sent,
            watch,
            list(self.results),
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
            queue, bus = Queue(sqs, self.dead_letters.queue_url), Bus(events, "earnings")
            audit = AuditTrail(self.tables.client, self.tables.audit_table, "alice")
            planned = plan(queue.read().dead_letters, bus, force=True)
            recorder = Recorder(ActionName.REDRIVE, planned.selected, bus.name)
            Redriver(queue, bus, audit, OperatorMetrics(None, "test", print), 1000).run(planned.selected, recorder)
            queue.release()
        assert not planned.skipped
        assert recorder.result().counts[MessageState.SENT] == len(planned.selected)

    def _kill(self) -> None:
        pid = self.sandbox.worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


@contextmanager
def process_harness(
    tables: Tables,
    dead_letters: DeadLetters,
    handler: str = "tests.support.wrapping_handlers.report_before_return",
    export_mode: str = "direct",
) -> Iterator[ProcessHarness]:
    """Start the pipeline and the operator; the process starts with the first event."""
    harnesses: list[ProcessHarness] = []
    results: list[DeliveryResult] = []

    def on_call(exchange: Exchange) -> None:
        harnesses[0].watch.on_call(exchange)

    watched = Fault("watched", on_call)
    with ExitStack() as stack:
        dynamodb = stack.enter_context(FaultProxy(tables.url, otherwise=watched))
        sqs = stack.enter_context(FaultProxy(dead_letters.url, otherwise=watched))
        returning = stack.enter_context(FaultProxy("http://127.0.0.1:9", otherwise=watched))
        environ = function_environ(
            tables,
            dead_letters,
            AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url,
            AWS_ENDPOINT_URL_SQS=sqs.url,
            RETURN_POINT=returning.url.removeprefix("http://"),
            **export_mode_variables(export_mode),
        )
        sandbox = stack.enter_context(sandbox_process(environ, handler=handler))
        destination = SqsDestination(stack.enter_context(closing(sqs_client(dead_letters.url))), dead_letters.queue_url)
        pipeline = EventPipeline(
            SimulatedScheduler(),
            [sandbox.worker],
            PipelineSettings(timeout_s=PATIENCE),
            destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
            on_result=results.append,
        )
        rule = ServedRule(PATTERN, lambda _, __: True, "mark", PipelineSettings().function_arn)
        bus_url = stack.enter_context(serve_api(pipeline, rule))
        harnesses.append(ProcessHarness(pipeline, sandbox, tables, dead_letters, bus_url, results))
        yield harnesses[0]
