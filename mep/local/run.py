"""`mep local`: delivers events from a file to the function on this machine, and writes the results to files."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from itertools import takewhile

from rich.console import Console

from emulator.environment import FunctionConfig
from emulator.lambda_runtime.span_receiver import SpanReceiver
from emulator.lambda_runtime.worker import Worker
from emulator.pipeline.destinations import sqs_destination
from emulator.pipeline.invokers import ContainerInvoker, Invoker
from emulator.pipeline.model import DeliveryResult, Disposition
from emulator.pipeline.pipeline import EventPipeline, InputEvent
from emulator.pipeline.platform_metrics import queue_data_points
from emulator.services.sqs import QueueEndpoint, drain_dead_letters
from emulator.services.tables import CalendarTables
from mep.errors import StoppedError
from mep.local.inputs import Calendar, EventReader, open_calendar, open_events
from mep.local.options import RunOptions
from mep.local.rehearsal import Rehearsal
from mep.local.run_files import RunFiles
from mep.local.stack import (
    abandon,
    build_pipeline,
    check_options,
    function_config,
    start_dynamodb,
    start_function,
    start_queue,
)
from mep.local.summary import RunCounter, Summary
from mep.local.waiting import waiting_text
from mep.progress import ProgressBar
from mep.terminal import print_line


@dataclass(frozen=True, slots=True)
class CompletedRun:
    """A run after its last event, before its files are complete.

    Attributes:
        pipeline: Accepts further events.
        tables: The calendar table and the audit table.
        dynamodb_url: URL of their DynamoDB.
        queue: The dead-letter queue with the run's dead letters.
        function: The function's configuration.
        flush: Writes the buffered lines to the run's files.
    """

    pipeline: EventPipeline
    tables: CalendarTables
    dynamodb_url: str
    queue: QueueEndpoint
    function: FunctionConfig
    flush: Callable[[], None]


def run(
    options: RunOptions,
    console: Console,
    *,
    queue: QueueEndpoint | None = None,
    on_complete: Callable[[CompletedRun], None] | None = None,
    beside: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Summary:
    """Deliver every event, and write the results to the files of `options.out`.

    Args:
        options: What to run.
        console: For progress and for defects of the input (normally standard error).
        queue: A running dead-letter queue; None starts one. It is empty afterwards.
        on_complete: Called after the last event; events that it sends are delivered, too.
        beside: Entered when the files exist, and left before they are closed.

    Raises:
        UsageError: The events cannot be read, the output cannot be written, another run writes it, or the function
            would refuse a setting.
        InputError: The calendar or the endpoint cannot be used.
        RunError: The function does not start.
        EmulatorError: DynamoDB or the queue does not start.
        StoppedError: Ctrl-C ended the run before its first event, or while its files were written.
    """
    _check(options, console)
    counter = RunCounter()
    interrupted_at: float | None = None
    with _explained_interrupt(options, counter), ExitStack() as stack:
        calendar = stack.enter_context(open_calendar(options.calendar, console))
        events = stack.enter_context(open_events(options.events))
        files = stack.enter_context(_open_files(options, calendar, console))
        stack.enter_context(beside())
        counter.rejected_rows = calendar.rejected
        url = options.endpoint_url or start_dynamodb(stack, console).url
        queue = queue or start_queue(stack, options.region, console)
        tables = stack.enter_context(CalendarTables(url, options.region, dict(options.credentials)))
        receiver = stack.enter_context(SpanReceiver(files.spans.write, files.otlp_traces.write))
        rehearsal = Rehearsal(options.faults, stack)
        reached_queue = rehearsal.queue(queue)
        function = function_config(options, rehearsal.dynamodb_url(url), reached_queue, receiver.address)
        workers = [
            stack.enter_context(Worker(function, files.function_line, platform_sink=files.logs.write))
            for _ in range(0 if options.function_url else options.workers)
        ]
        _prepare(workers, tables, calendar, files, console)
        abandoned: list[Worker | ContainerInvoker] = [*workers]
        invokers: Sequence[Invoker] = rehearsal.invokers(workers)
        if options.function_url:  # the runtime interface emulator of a container accepts one request at a time
            invokers = [container := ContainerInvoker(options.function_url)]
            container.check()
            abandoned = [container]
        on_end = _recorder(files, counter, console)
        destination = stack.enter_context(sqs_destination(reached_queue))
        pipeline = build_pipeline(
            options,
            function,
            invokers,
            destination,
            files,
            on_end,
            rehearsal.invoke_api,
            abandon=partial(abandon, abandoned),
        )
        reader = EventReader(events, files.rejected, counter, console)
        status = partial(_status, pipeline, reader)
        started = time.monotonic()
        try:
            with ProgressBar(console, "delivering", "lines", events.size, status=status) as progress:
                # On a full disk the run stops: what is delivered then would be in no file.
                lines = takewhile(lambda _: not files.incomplete, reader.events(progress))
                pipeline.run(InputEvent(line.payload, line.number) for line in lines)
            if on_complete is not None:
                on_complete(CompletedRun(pipeline, tables, url, queue, function, files.flush))
                pipeline.run()
            _report_unused(rehearsal, counter, console)
        except KeyboardInterrupt:
            interrupted_at = time.monotonic()
        receiver.flush()
        _write_stores(files, queue, tables, console)
        if not options.function_url:  # a container sends its dead letters to another queue
            sent, visible = counter.dead_letters, files.dlq.count
            points = queue_data_points(queue.queue_url, sent=max(sent, visible), visible=visible, now=time.time())
            files.platform.write_all(point.as_dict() for point in points)
        files.flush()
        summary = counter.summary(
            elapsed_s=max(0.0, (interrupted_at or counter.last_end) - started),
            deliveries=pipeline.counters,
            spans=files.spans.count,
            spans_lost=receiver.damaged + receiver.dropped,
            interrupted=interrupted_at is not None,
            incomplete=files.incomplete,
        )
        files.summary(summary.as_dict())
    return summary


def _check(options: RunOptions, console: Console) -> None:
    if note := check_options(options):
        print_line(console, note)


@contextmanager
def _explained_interrupt(options: RunOptions, counter: RunCounter) -> Iterator[None]:
    """Say what an interrupt before the first event, or while the files are written, leaves behind."""
    try:
        yield
    except KeyboardInterrupt:
        state = f"the files in {options.out} are incomplete" if counter.last_end else "no event was delivered"
        raise StoppedError(f"interrupted: {state}") from None


def _open_files(options: RunOptions, calendar: Calendar, console: Console) -> RunFiles:
    files = RunFiles(options.out, inputs=(options.events, options.calendar))
    if files.replaced:
        print_line(console, f"replacing the results of an earlier run in {options.out}")
    calendar.write_rejected(files.rejected_rows)
    return files


def _prepare(
    workers: list[Worker], tables: CalendarTables, calendar: Calendar, files: RunFiles, console: Console
) -> None:
    """Load the calendar, and start the function at the same time: it needs no table to start."""
    with ThreadPoolExecutor(1) as executor:
        starting = executor.submit(start_function, workers, files)
        try:
            with ProgressBar(console, "loading the calendar", "rows", len(calendar.rows)) as progress:
                tables.load(calendar.rows, progress.advance_items)
            with ProgressBar(console, "starting the function"):
                starting.result()
        except BaseException:
            abandon(workers)  # do not wait until they have started
            raise


def _report_unused(rehearsal: Rehearsal, counter: RunCounter, console: Console) -> None:
    """Report the faults that were not made, unless there was no event."""
    for fault in rehearsal.unused() if counter.last_end else ():
        print_line(console, f"--fault {fault} was never applied: no event reached it")


def _status(pipeline: EventPipeline, reader: EventReader) -> str:
    return waiting_text(pipeline.status(), exhausted=reader.exhausted)


def _write_stores(files: RunFiles, queue: QueueEndpoint, tables: CalendarTables, console: Console) -> None:
    """Write what the queue and the tables contain after the run."""
    with ProgressBar(console, "reading the dead-letter queue", "messages") as progress:
        for dead_letter in drain_dead_letters(queue):
            files.dlq.write(asdict(dead_letter))
            progress.advance()
    with ProgressBar(console, "reading the calendar's table", "rows") as progress:
        files.calendar.write_all(tables.calendar(progress.advance_items))
    with ProgressBar(console, "reading the audit table", "entries") as progress:
        files.audit.write_all(tables.audit(progress.advance_items))


def _recorder(files: RunFiles, counter: RunCounter, console: Console) -> Callable[[DeliveryResult], None]:
    def record(delivery_result: DeliveryResult) -> None:
        counter.add(delivery_result)
        if delivery_result.disposition is Disposition.NO_OUTCOME:
            print_line(console, f"line {delivery_result.tag}: the response has no outcome")
        for body in delivery_result.unsent:
            files.undelivered(body)
            print_line(console, f"line {delivery_result.tag}: the queue rejected its record; see undelivered.jsonl")

    return record
