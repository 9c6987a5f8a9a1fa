"""`make demo`: scenarios on this machine, with readable output and checks.

The scenarios share one DynamoDB. Each one uses the same code as `mep local`, shows the results and returns its checks.
To add a scenario, add a function to `SCENARIOS`.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from emulator.environment import REGION, SAMPLES
from emulator.faults import throttling_proxy
from emulator.services.dynamodb import DynamoDBEndpoint
from emulator.services.sqs import QueueEndpoint
from mep.demo import checks
from mep.demo.checks import Check
from mep.demo.redrive import LATE_ROW, RedriveDemo, redrive_checks
from mep.errors import StoppedError
from mep.explorer.opening import write_page
from mep.local import render
from mep.local.jsonl import EventLine, read_jsonl, read_lines
from mep.local.options import RunOptions
from mep.local.run import CompletedRun, run
from mep.local.stack import start_dynamodb, start_queue
from mep.local.summary import Summary
from mep.terminal import print_heading
from mep.text import escape_control

THROTTLES = 2

# Three attempts of the first event and two of the second fail: one worker takes them in turn.
_FAILED_ATTEMPTS = 5
# Time for one DynamoDB call: the function does not retry, so Lambda does.
_NO_TIME_TO_RETRY_S = 7

_SHOWN_TRACE = "demo-msft"
_MARKED = [("AAPL", "2025-07-31"), ("BF-B", "2025-08-28"), ("BRK B", "2025-08-02"), ("MSFT", "2025-07-29")]
_OUTCOMES = {"marked": 4, "duplicate": 2, "dead_lettered": 5, "retry": 0, "rejected": 1}
_PERMANENT_FAILURES = slice(6, 11)  # of the sample events


@dataclass(frozen=True, slots=True)
class DemoContext:
    """What the scenarios share.

    Attributes:
        dynamodb: The database; it retains its rows from scenario to scenario.
        queue: The dead-letter queue.
        directory: Each scenario creates a directory for its files here.
        screen: Where the output goes.
    """

    dynamodb: DynamoDBEndpoint
    queue: QueueEndpoint
    directory: Path
    screen: Console

    def run(
        self,
        out: Path,
        events: str,
        dynamodb_url: str | None = None,
        *,
        timeout_s: float = 30,
        on_complete: Callable[[CompletedRun], None] | None = None,
    ) -> Summary:
        """Deliver a sample file of events with one worker.

        Args:
            out: Directory for the results.
            events: Name of the file.
            dynamodb_url: The endpoint for the function; `dynamodb` if None.
            timeout_s: The function's timeout in seconds.
            on_complete: Called after the last event.

        Raises:
            KeyboardInterrupt: The run was interrupted.
        """
        options = RunOptions(
            calendar=SAMPLES / "calendar.csv",
            events=SAMPLES / events,
            out=out,
            endpoint_url=dynamodb_url or self.dynamodb.url,
            workers=1,
            timeout_s=timeout_s,
        )
        summary = run(options, self.screen, queue=self.queue, on_complete=on_complete)
        if summary.interrupted:
            raise KeyboardInterrupt
        return summary


def main_job(context: DemoContext) -> list[Check]:
    """Events mark their rows; duplicates are recognised, permanent failures are dead-lettered."""
    out = context.directory / "main"
    events = SAMPLES / "events.jsonl"
    print_heading(context.screen, "Events mark rows", "with two duplicates and five permanent failures")
    summary = context.run(out, "events.jsonl")
    context.screen.print(render.outcomes_table(summary))
    print_heading(context.screen, "One trace", f"the event with correlation ID {_SHOWN_TRACE}")
    spans = [
        span for span in read_jsonl(out / "spans.jsonl") if span["attributes"].get("correlation_id") == _SHOWN_TRACE
    ]
    context.screen.print(render.trace_tree(spans))
    print_heading(context.screen, "Metrics", "sums of the function's EMF lines")
    metrics = render.sum_metrics(read_jsonl(out / "metrics.jsonl"))
    context.screen.print(render.metrics_table(metrics))
    print_heading(context.screen, "Dead letters", "the messages in the queue, with their errors")
    context.screen.print(render.dead_letters_table(read_jsonl(out / "dlq.jsonl")))
    with events.open("rb") as stream:
        lines = list(read_lines(stream))
    sent = [orjson.loads(line.payload) for line in lines if isinstance(line, EventLine)]
    counts = {name: count for name, count in summary.as_dict().items() if name in _OUTCOMES}
    return [
        checks.accounting(summary, len(lines)),
        checks.check("the outcomes are as expected", counts, _OUTCOMES),
        *checks.rows_and_audit(out, _MARKED),
        *checks.correlation(out),
        checks.check("the trace has a span for the DynamoDB call", len(spans), 2),
        *checks.metrics(out, summary),
        *checks.dead_letters(out, sent[_PERMANENT_FAILURES]),
    ]


def throttling(context: DemoContext) -> list[Check]:
    """DynamoDB throttles a write twice; the third attempt succeeds."""
    out = context.directory / "throttled"
    print_heading(context.screen, "Retries with backoff", "DynamoDB throttles the first two writes")
    with throttling_proxy(context.dynamodb.url, THROTTLES) as url:
        summary = context.run(out, "throttled.jsonl", url)
    context.screen.print(render.trace_tree(read_jsonl(out / "spans.jsonl")))
    return [
        checks.accounting(summary, 1),
        *checks.backoff(out, summary, THROTTLES),
        *checks.rows_and_audit(out, [*_MARKED, ("WMT", "2025-08-21")]),
        *checks.correlation(out),
    ]


def platform_retries(context: DemoContext) -> list[Check]:
    """The function fails: Lambda retries, then sends the event to the on-failure destination."""
    out = context.directory / "failing"
    events = SAMPLES / "failing.jsonl"
    text = "after one and two minutes, here after 0.2 and 0.4 s; after three attempts the event goes to the queue"
    print_heading(context.screen, "Lambda retries", text)
    with throttling_proxy(context.dynamodb.url, _FAILED_ATTEMPTS) as url:
        summary = context.run(out, "failing.jsonl", url, timeout_s=_NO_TIME_TO_RETRY_S)
    context.screen.print(render.outcomes_table(summary))
    context.screen.print(render.attempts_table(read_jsonl(out / "logs.jsonl")))
    print_heading(context.screen, "On-failure destination", "Lambda's record of the event that failed three times")
    context.screen.print(render.dead_letters_table(read_jsonl(out / "dlq.jsonl")))
    print_heading(context.screen, "Platform metrics", "those of AWS/Lambda and AWS/Events, from platform.jsonl")
    context.screen.print(render.platform_table(read_jsonl(out / "platform.jsonl")))
    with events.open("rb") as stream:
        failed_event = orjson.loads(stream.readline())
    return [
        checks.accounting(summary, 2),
        checks.check("one event was marked at its third attempt, one failed", (summary.marked, summary.retry), (1, 1)),
        *checks.platform_retries(out, failed_event),
        *checks.rows_and_audit(out, [*_MARKED, ("TM", "2025-08-07"), ("WMT", "2025-08-21")]),
        *checks.correlation(out),
    ]


def redriving(context: DemoContext) -> list[Check]:
    """An event without a calendar row is a dead letter; it is redriven when the row exists."""
    out = context.directory / "redriven"
    print_heading(context.screen, "A dead letter is redriven", "its event arrived before its row")
    redrive = RedriveDemo(context.dynamodb, context.screen)
    summary = context.run(out, "early.jsonl", on_complete=redrive)
    context.screen.print(render.outcomes_table(summary))
    late = LATE_ROW.key
    return [
        checks.accounting(summary, 2),
        *redrive.checks,
        checks.check("the second delivery marks the row", (summary.dead_lettered, summary.marked), (1, 1)),
        *checks.rows_and_audit(out, sorted([*_MARKED, ("TM", "2025-08-07"), ("WMT", "2025-08-21"), late])),
        *redrive_checks(out),
        *checks.correlation(out),
    ]


SCENARIOS: tuple[Callable[[DemoContext], list[Check]], ...] = (main_job, throttling, platform_retries, redriving)


def demo(screen: Console, out: Path | None = None) -> list[Check]:
    """Run every scenario and return the checks that failed.

    Args:
        screen: Where the output goes.
        out: Keeps the results: a folder for each scenario, with the page of `mep open`. None for a temporary folder.

    Raises:
        MepError: The function does not start.
        EmulatorError: DynamoDB or the queue does not start.
        StoppedError: Ctrl-C ended the demo.
    """
    results: list[tuple[Callable[[DemoContext], list[Check]], list[Check]]] = []
    try:
        _run_scenarios(screen, results, out)
    except (KeyboardInterrupt, StoppedError):
        done = f"{len(results)} of {len(SCENARIOS)} scenarios ended"
        raise StoppedError(f"interrupted: {done}, and nothing was checked") from None
    print_heading(screen, "Checks", "of the files that the scenarios wrote")
    for scenario, scenario_checks in results:
        screen.print(Text((scenario.__doc__ or "").splitlines()[0], "dim"))
        for check in scenario_checks:
            verdict = Text("FAIL", "bold red") if check.failure else Text("PASS", "green")
            screen.print(Text.assemble("  ", verdict, "  ", check.text))
            if check.failure:
                screen.print(Padding(Text(escape_control(check.failure), "red"), (0, 0, 0, 8)))
    if out is not None:
        _write_pages(screen, out)
    return [check for _, scenario_checks in results for check in scenario_checks if check.failure]


def _write_pages(screen: Console, out: Path) -> None:
    print_heading(screen, "Explore", "every event and its timeline, in a browser")
    for run_folder in sorted(path for path in out.iterdir() if (path / "summary.json").is_file()):
        screen.print(Text(f"  {write_page(run_folder)}"), soft_wrap=True)


def _run_scenarios(
    screen: Console, results: list[tuple[Callable[[DemoContext], list[Check]], list[Check]]], out: Path | None
) -> None:
    """Run every scenario, and add its checks to `results` when it is complete."""
    screen.print("starting DynamoDB, a queue and the function on this machine, without Docker or an AWS account")
    with ExitStack() as stack:
        context = DemoContext(
            start_dynamodb(stack, screen),
            start_queue(stack, REGION, screen),
            out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mep-demo-"))),
            screen,
        )
        results.extend((scenario, scenario(context)) for scenario in SCENARIOS)
