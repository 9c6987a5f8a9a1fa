"""`mep local`: events from a file through the real function on one machine, and all that came of it in files."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from emulator.calendar_csv import read_calendar
from emulator.environment import ACCOUNT_ID, LOCAL_CREDENTIALS, REGION, FunctionConfig
from emulator.errors import EmulatorError
from emulator.lambda_runtime.span_receiver import SpanReceiver
from emulator.lambda_runtime.worker import Worker, start_workers
from emulator.pipeline.destinations import Destination, sqs_destination
from emulator.pipeline.invokers import ContainerInvoker, Invoker
from emulator.pipeline.model import AsyncInvokeConfig, DeliveryResult, Disposition, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations, InputEvent
from emulator.pipeline.scheduler import RealTimeScheduler
from emulator.services.dynamodb import dynamodb
from emulator.services.sqs import QueueEndpoint, drain_dead_letters, queue_service
from emulator.services.tables import CalendarTables
from handler.contract import AUDIT, CALENDAR
from mep.errors import RunError
from mep.local.jsonl import EventLine, RejectedLine, open_events, read_lines, stream_size
from mep.local.run_files import RunFiles
from mep.local.summary import RunCounter, Summary
from mep.progress import RunProgress

DEFAULT_SPEED = 300.0

_NAMED_REJECTS = 20
_DESTINATION_THREADS = 2


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run.

    Attributes:
        calendar: CSV with the calendar (`emulator.calendar_csv.read_calendar`).
        events: JSON lines, one event a line; None for standard input.
        out: Directory for what came of it.
        endpoint_url: A DynamoDB that runs already; None starts one. Rows that it has are left as they are.
        function_url: A container's emulator endpoint; None runs the function here. Its logs, spans, metrics and own
            dead letters are where it was told to put them, and it must write to `endpoint_url`.
        workers: Function processes side by side.
        timeout_s: The function's timeout in seconds.
        memory_mb: The function's memory size in MB, as it is told.
        speed: How many times faster than on AWS the platform's waits pass. Lambda waits one and two minutes; nobody
            wants to on a laptop.
        invoke: Lambda's settings of asynchronous invocation.
        region: The region that is used for DynamoDB.
        credentials: The `AWS_*` variables to sign with; emulators take any.
    """

    calendar: Path
    events: Path | None
    out: Path
    endpoint_url: str | None = None
    function_url: str | None = None
    workers: int = 2
    timeout_s: float = 30
    memory_mb: int = 128
    speed: float = DEFAULT_SPEED
    invoke: AsyncInvokeConfig = field(default_factory=AsyncInvokeConfig)
    region: str = REGION
    credentials: tuple[tuple[str, str], ...] = tuple(LOCAL_CREDENTIALS.items())


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """A run whose events have all come to an end, before its files are written.

    Attributes:
        pipeline: Takes further events.
        database: Its tables.
        dynamodb_url: Where they are.
        queue: Its dead-letter queue, as the run has left it.
        flush: Brings the files up to date, those that are written as things happen.
    """

    pipeline: EventPipeline
    database: CalendarTables
    dynamodb_url: str
    queue: QueueEndpoint
    flush: Callable[[], None]


def run(
    options: RunOptions,
    console: Console,
    *,
    queue: QueueEndpoint | None = None,
    then: Callable[[CompletedRun], None] | None = None,
) -> Summary:
    """Deliver every event, and write what came of it to the files of `options.out`.

    Args:
        options: What to run.
        console: For progress, and for what is wrong with the input (normally standard error).
        queue: A dead-letter queue that runs already; None starts one. It is empty afterwards.
        then: Called when every event has come to an end; what it puts onto the chain is delivered, too.

    Raises:
        UsageError: The input cannot be read or the output not written.
        InputError: The calendar or the endpoint cannot be used.
        RunError: The function does not start.
        EmulatorError: DynamoDB or the queue does not start.
    """
    rows = read_calendar(options.calendar)
    tally = RunCounter()
    interrupted = False
    with ExitStack() as stack:
        events = stack.enter_context(open_events(options.events))
        outputs = stack.enter_context(RunFiles(options.out, keep=options.events))
        url = options.endpoint_url or _started(stack, console)
        queue = queue or stack.enter_context(queue_service(options.region))
        database = stack.enter_context(CalendarTables(url, options.region, dict(options.credentials)))
        receiver = stack.enter_context(SpanReceiver(outputs.spans.write))
        function = _function(options, url, queue, receiver.address)
        here = 0 if options.function_url else options.workers
        workers = [stack.enter_context(Worker(function, outputs.function_line)) for _ in range(here)]
        with ThreadPoolExecutor(1) as beside:
            # The function starts while the calendar is being loaded: it needs no table to start.
            starting = beside.submit(_start, workers, options)
            database.load(rows)
            starting.result()
        # The emulator in a container takes one request at a time.
        invokers = [_container(options.function_url)] if options.function_url else workers
        on_end = _recorder(outputs, tally, console)
        pipeline = _chain(options, function, invokers, stack.enter_context(sqs_destination(queue)), outputs, on_end)
        started = time.monotonic()
        try:
            with RunProgress(console, stream_size(events)) as progress:
                lines = _accepted(read_lines(events), outputs, tally, console, progress)
                pipeline.run(InputEvent(line.payload, line.number) for line in lines)
            if then is not None:
                then(CompletedRun(pipeline, database, url, queue, outputs.flush))
                pipeline.run()
        except KeyboardInterrupt:
            interrupted = True
        elapsed_s = max(0.0, tally.last_end - started)
        receiver.flush()
        summary = tally.summary(
            elapsed_s=elapsed_s,
            spans=outputs.spans.count,
            spans_lost=receiver.damaged + receiver.dropped,
            interrupted=interrupted,
        )
        outputs.summary(summary.as_dict())
        outputs.dlq.write_all(asdict(dead_letter) for dead_letter in drain_dead_letters(queue))
        outputs.calendar.write_all(database.calendar())
        outputs.audit.write_all(database.audit())
    return summary


def _started(stack: ExitStack, console: Console) -> str:
    endpoint = stack.enter_context(dynamodb(announce=partial(_say, console)))
    if endpoint.reason:
        _say(console, f"DynamoDB is an emulator here: {endpoint.reason}")
    return endpoint.url


def _function(options: RunOptions, dynamodb_url: str, queue: QueueEndpoint, xray: str) -> FunctionConfig:
    return FunctionConfig(
        memory_mb=options.memory_mb,
        region=options.region,
        credentials=dict(options.credentials),
        settings={
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url,
            "AWS_ENDPOINT_URL_SQS": queue.url,
            "AWS_XRAY_DAEMON_ADDRESS": xray,
            "DEAD_LETTER_QUEUE_URL": queue.queue_url,
            AUDIT.variable: AUDIT.default,
            CALENDAR.variable: CALENDAR.default,
            "ENVIRONMENT": "local",
        },
    )


def _container(url: str) -> ContainerInvoker:
    container = ContainerInvoker(url)
    container.check()
    return container


def _start(workers: list[Worker], options: RunOptions) -> None:
    if not workers:
        return
    try:
        start_workers(workers)
    except EmulatorError as error:
        raise RunError(f"{error} (what it printed: {options.out / 'logs.jsonl'})") from error


def _accepted(
    lines: Iterable[EventLine | RejectedLine],
    outputs: RunFiles,
    tally: RunCounter,
    console: Console,
    progress: RunProgress,
) -> Iterator[EventLine]:
    """Yield the lines that are JSON; name, keep and count the others."""
    for line in lines:
        progress.advance(line.size)
        if isinstance(line, EventLine):
            yield line
            continue
        outputs.rejected.write({"line": line.number, "reason": line.reason, "text": line.text})
        tally.rejected += 1
        if tally.rejected <= _NAMED_REJECTS:
            _say(console, f"line {line.number} is not JSON: {line.reason}")
        elif tally.rejected == _NAMED_REJECTS + 1:
            _say(console, "more lines are not JSON: all of them are in rejected.jsonl")


def _chain(
    options: RunOptions,
    function: FunctionConfig,
    invokers: Sequence[Invoker],
    destination: Destination,
    outputs: RunFiles,
    on_end: Callable[[DeliveryResult], None],
) -> EventPipeline:
    """Make the chain as it is deployed, but for the rule's pattern: every line is delivered."""
    settings = PipelineSettings(
        invoke=options.invoke,
        timeout_s=options.timeout_s,
        function_arn=function.arn,
        rule_arn=f"arn:aws:events:{options.region}:{ACCOUNT_ID}:rule/earnings/{function.name}",
        seed=secrets.randbits(64),
    )
    return EventPipeline(
        RealTimeScheduler(len(invokers) + _DESTINATION_THREADS, scale=1 / options.speed),
        invokers,
        settings,
        destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
        on_result=on_end,
        on_data_point=lambda point: outputs.platform.write(point.as_dict()),
    )


def _recorder(outputs: RunFiles, tally: RunCounter, console: Console) -> Callable[[DeliveryResult], None]:
    def record(delivery_result: DeliveryResult) -> None:
        tally.add(delivery_result)
        if delivery_result.disposition is Disposition.NO_OUTCOME:
            _say(console, f"line {delivery_result.tag}: the function returned no outcome")
        for body in delivery_result.unsent:
            outputs.undelivered(body)
            _say(console, f"line {delivery_result.tag}: the queue refused its record; it is in undelivered.jsonl")

    return record


def _say(console: Console, text: Any) -> None:
    console.print(f"mep: {text}", markup=False, highlight=False, soft_wrap=True)
