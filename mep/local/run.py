"""`mep local`: delivers events from a file to the function on this machine, and writes the results to files."""

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
from handler.contract import AUDIT, BUS, CALENDAR
from mep.errors import RunError
from mep.local.jsonl import EventLine, RejectedLine, open_events, read_lines, stream_size
from mep.local.run_files import RunFiles
from mep.local.summary import RunCounter, Summary
from mep.progress import ProgressBar

DEFAULT_SPEED = 300.0

_MAX_REPORTED_REJECTS = 20
_DESTINATION_THREADS = 2


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run.

    Attributes:
        calendar: CSV file with the calendar (`emulator.calendar_csv.read_calendar`).
        events: JSON Lines file with one event per line; None for standard input.
        out: Directory for the results.
        endpoint_url: A running DynamoDB; None starts one. Existing rows are not changed.
        function_url: The runtime interface emulator of a running container; None runs the function here. The
            container's logs, spans, metrics and dead letters are not collected, and it must write to `endpoint_url`.
        workers: Number of function processes.
        timeout_s: The function's timeout in seconds.
        memory_mb: The function's memory size in MB; reported to the function, not enforced.
        speed: How many times faster than on AWS retry delays pass; Lambda waits one and two minutes.
        invoke: Lambda's configuration of asynchronous invocation.
        region: The region of DynamoDB and of the function.
        credentials: The `AWS_*` variables to sign with; emulators accept any.
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
    """A run after its last event, before its files are complete.

    Attributes:
        pipeline: Accepts further events.
        tables: The calendar table and the audit table.
        dynamodb_url: URL of their DynamoDB.
        queue: The dead-letter queue with the run's dead letters.
        flush: Writes the buffered lines to the run's files.
    """

    pipeline: EventPipeline
    tables: CalendarTables
    dynamodb_url: str
    queue: QueueEndpoint
    flush: Callable[[], None]


def run(
    options: RunOptions,
    console: Console,
    *,
    queue: QueueEndpoint | None = None,
    on_complete: Callable[[CompletedRun], None] | None = None,
) -> Summary:
    """Deliver every event, and write the results to the files of `options.out`.

    Args:
        options: What to run.
        console: For progress and for defects of the input (normally standard error).
        queue: A running dead-letter queue; None starts one. It is empty afterwards.
        on_complete: Called after the last event; events that it sends are delivered, too.

    Raises:
        UsageError: The events cannot be read, or the output cannot be written.
        InputError: The calendar or the endpoint cannot be used.
        RunError: The function does not start.
        EmulatorError: DynamoDB or the queue does not start.
    """
    rows = read_calendar(options.calendar)
    counter = RunCounter()
    interrupted = False
    with ExitStack() as stack:
        events = stack.enter_context(open_events(options.events))
        files = stack.enter_context(RunFiles(options.out, input_file=options.events))
        url = options.endpoint_url or _start_dynamodb(stack, console)
        queue = queue or stack.enter_context(queue_service(options.region))
        tables = stack.enter_context(CalendarTables(url, options.region, dict(options.credentials)))
        receiver = stack.enter_context(SpanReceiver(files.spans.write))
        function = _function(options, url, queue, receiver.address)
        worker_count = 0 if options.function_url else options.workers
        workers = [stack.enter_context(Worker(function, files.function_line)) for _ in range(worker_count)]
        with ThreadPoolExecutor(1) as executor:
            # The function starts while the calendar is loaded: it needs no table to start.
            starting = executor.submit(_start_workers, workers, options)
            tables.load(rows)
            starting.result()
        invokers: Sequence[Invoker] = workers
        if options.function_url:  # the runtime interface emulator of a container accepts one request at a time
            invokers = [container := ContainerInvoker(options.function_url)]
            container.check()
        on_end = _recorder(files, counter, console)
        destination = stack.enter_context(sqs_destination(queue))
        pipeline = _pipeline(options, function, invokers, destination, files, on_end)
        started = time.monotonic()
        try:
            with ProgressBar(console, "delivering", "lines", stream_size(events)) as progress:
                lines = _accepted(read_lines(events), files, counter, console, progress)
                pipeline.run(InputEvent(line.payload, line.number) for line in lines)
            if on_complete is not None:
                on_complete(CompletedRun(pipeline, tables, url, queue, files.flush))
                pipeline.run()
        except KeyboardInterrupt:
            interrupted = True
        elapsed_s = max(0.0, counter.last_end - started)
        receiver.flush()
        summary = counter.summary(
            elapsed_s=elapsed_s,
            spans=files.spans.count,
            spans_lost=receiver.damaged + receiver.dropped,
            interrupted=interrupted,
        )
        files.summary(summary.as_dict())
        files.dlq.write_all(asdict(dead_letter) for dead_letter in drain_dead_letters(queue))
        files.calendar.write_all(tables.calendar())
        files.audit.write_all(tables.audit())
    return summary


def _start_dynamodb(stack: ExitStack, console: Console) -> str:
    endpoint = stack.enter_context(dynamodb(announce=partial(_print, console)))
    if endpoint.reason:
        _print(console, f"using a DynamoDB emulator: {endpoint.reason}")
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


def _start_workers(workers: list[Worker], options: RunOptions) -> None:
    if not workers:
        return
    try:
        start_workers(workers)
    except EmulatorError as error:
        raise RunError(f"{error} (its output: {options.out / 'logs.jsonl'})") from error


def _accepted(
    lines: Iterable[EventLine | RejectedLine],
    files: RunFiles,
    counter: RunCounter,
    console: Console,
    progress: ProgressBar,
) -> Iterator[EventLine]:
    """Yield the lines that are JSON; report, write and count the others."""
    for line in lines:
        progress.advance(line.size)
        if isinstance(line, EventLine):
            yield line
            continue
        files.rejected.write({"line": line.number, "reason": line.reason, "text": line.text})
        counter.rejected += 1
        if counter.rejected <= _MAX_REPORTED_REJECTS:
            _print(console, f"line {line.number} is not JSON: {line.reason}")
        elif counter.rejected == _MAX_REPORTED_REJECTS + 1:
            _print(console, "more lines are not JSON; rejected.jsonl has all of them")


def _pipeline(
    options: RunOptions,
    function: FunctionConfig,
    invokers: Sequence[Invoker],
    destination: Destination,
    files: RunFiles,
    on_end: Callable[[DeliveryResult], None],
) -> EventPipeline:
    """Return the pipeline as deployed, but without the rule's event pattern: every line is delivered."""
    settings = PipelineSettings(
        invoke=options.invoke,
        timeout_s=options.timeout_s,
        function_arn=function.arn,
        rule_arn=f"arn:aws:events:{options.region}:{ACCOUNT_ID}:rule/{BUS}/{function.name}",
        seed=secrets.randbits(64),
    )
    return EventPipeline(
        RealTimeScheduler(len(invokers) + _DESTINATION_THREADS, scale=1 / options.speed),
        invokers,
        settings,
        destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
        on_result=on_end,
        on_data_point=lambda point: files.platform.write(point.as_dict()),
    )


def _recorder(files: RunFiles, counter: RunCounter, console: Console) -> Callable[[DeliveryResult], None]:
    def record(delivery_result: DeliveryResult) -> None:
        counter.add(delivery_result)
        if delivery_result.disposition is Disposition.NO_OUTCOME:
            _print(console, f"line {delivery_result.tag}: the response has no outcome")
        for body in delivery_result.unsent:
            files.undelivered(body)
            _print(console, f"line {delivery_result.tag}: the queue rejected its record; see undelivered.jsonl")

    return record


def _print(console: Console, text: Any) -> None:
    console.print(f"mep: {text}", markup=False, highlight=False, soft_wrap=True)
