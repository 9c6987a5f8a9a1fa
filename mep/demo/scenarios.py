"""`make demo`: the main job on this machine, shown readably, with every promise checked.

The demo is a sequence of acts on one DynamoDB. Each runs the same machinery as `mep local`, shows what came of it and
returns the promises it checked; a further act is a further function in `SCENARIOS`.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from emulator.environment import SAMPLES
from emulator.faults import throttling_proxy
from emulator.services.dynamodb import DynamoDBEndpoint, dynamodb
from emulator.services.sqs import QueueEndpoint, queue_service
from mep import terminal
from mep.demo import checks
from mep.demo.checks import Check
from mep.demo.redrive import LATE_ROW, RedriveDemo, redriven
from mep.demo.render import dead_letters
from mep.local.jsonl import EventLine, read_lines
from mep.local.run import RunOptions, run

THROTTLES = 2

# Three tries of the first event and two of the second fail: with one worker they come in turn.
_FAILED_TRIES = 5
# Room for one attempt and nothing else: the function gives up at once, and the waiting is Lambda's.
_NO_TIME_TO_RETRY_S = 7

_SHOWN_TRACE = "demo-msft"
_MARKED = [("AAPL", "2025-07-31"), ("BF-B", "2025-08-28"), ("BRK B", "2025-08-02"), ("MSFT", "2025-07-29")]
_OUTCOMES = {"marked": 4, "duplicate": 2, "dead_lettered": 5, "retry": 0, "rejected": 1}
_DEAD = slice(6, 11)  # which of the sample events cannot succeed


@dataclass(frozen=True, slots=True)
class DemoContext:
    """What the acts share.

    Attributes:
        dynamodb: The database, kept from act to act.
        queue: The dead-letter queue.
        directory: A directory for each act's files.
        screen: Where they show.
    """

    dynamodb: DynamoDBEndpoint
    queue: QueueEndpoint
    directory: Path
    screen: Console


def main_job(context: DemoContext) -> list[Check]:
    """Real events in: rows marked, duplicates told apart, what cannot succeed dead-lettered."""
    out = context.directory / "main"
    events = SAMPLES / "events.jsonl"
    _heading(context.screen, "Events in, rows marked", "one comes twice, one comes second, some cannot succeed")
    summary = run(
        RunOptions(
            calendar=SAMPLES / "calendar.csv", events=events, out=out, endpoint_url=context.dynamodb.url, workers=1
        ),
        context.screen,
        queue=context.queue,
    )
    context.screen.print(terminal.outcomes(summary))
    _heading(context.screen, "One trace", f"the event with correlation ID {_SHOWN_TRACE}")
    spans = [
        span
        for span in terminal.read_jsonl(out / "spans.jsonl")
        if span["attributes"].get("correlation_id") == _SHOWN_TRACE
    ]
    context.screen.print(terminal.trace(spans))
    _heading(context.screen, "Metrics", "added up from the function's EMF lines")
    metrics = terminal.sum_metrics(terminal.read_jsonl(out / "metrics.jsonl"))
    context.screen.print(terminal.metrics_table(metrics))
    _heading(context.screen, "Dead letters", "what the queue holds, with the reason")
    context.screen.print(dead_letters(terminal.read_jsonl(out / "dlq.jsonl")))
    with events.open("rb") as stream:
        lines = list(read_lines(stream))
    sent = [orjson.loads(line.payload) for line in lines if isinstance(line, EventLine)]
    counts = {name: count for name, count in summary.as_dict().items() if name in _OUTCOMES}
    return [
        checks.accounting(summary, len(lines)),
        checks.check("the outcomes are the expected ones", counts, _OUTCOMES),
        *checks.rows_and_audit(out, _MARKED),
        *checks.correlation(out),
        checks.check("the trace has its DynamoDB call", len(spans), 2),
        *checks.metrics(out, summary),
        *checks.dead_letters(out, sent[_DEAD]),
    ]


def throttling(context: DemoContext) -> list[Check]:
    """An event whose write is refused twice, on the wire, and still succeeds."""
    out = context.directory / "throttled"
    _heading(context.screen, "Throttled twice, marked all the same", "DynamoDB refuses its first two writes")
    with throttling_proxy(context.dynamodb.url, THROTTLES) as url:
        summary = run(
            RunOptions(
                calendar=SAMPLES / "calendar.csv",
                events=SAMPLES / "throttled.jsonl",
                out=out,
                endpoint_url=url,
                workers=1,
            ),
            context.screen,
            queue=context.queue,
        )
    context.screen.print(terminal.trace(terminal.read_jsonl(out / "spans.jsonl")))
    return [
        checks.accounting(summary, 1),
        *checks.backoff(out, summary, THROTTLES),
        *checks.rows_and_audit(out, [*_MARKED, ("WMT", "2025-08-21")]),
        *checks.correlation(out),
    ]


def platform_retries(context: DemoContext) -> list[Check]:
    """A function that fails: Lambda tries again, and a net takes the event that it gives up."""
    out = context.directory / "failing"
    events = SAMPLES / "failing.jsonl"
    text = "a minute later, then two, here in 0.2 and 0.4 s; what fails three times goes to the queue"
    _heading(context.screen, "Lambda tries again", text)
    with throttling_proxy(context.dynamodb.url, _FAILED_TRIES) as url:
        summary = run(
            RunOptions(
                calendar=SAMPLES / "calendar.csv",
                events=events,
                out=out,
                endpoint_url=url,
                workers=1,
                timeout_s=_NO_TIME_TO_RETRY_S,
            ),
            context.screen,
            queue=context.queue,
        )
    context.screen.print(terminal.outcomes(summary))
    context.screen.print(terminal.attempts_table(terminal.read_jsonl(out / "logs.jsonl")))
    _heading(context.screen, "The net", "Lambda's record of the event that it gave up")
    context.screen.print(dead_letters(terminal.read_jsonl(out / "dlq.jsonl")))
    _heading(context.screen, "The platform's own metrics", "as CloudWatch would have them, from platform.jsonl")
    context.screen.print(terminal.platform_table(terminal.read_jsonl(out / "platform.jsonl")))
    with events.open("rb") as stream:
        given_up = orjson.loads(stream.readline())
    return [
        checks.accounting(summary, 2),
        checks.check(
            "one event was marked at its third try, one was given up", (summary.marked, summary.retry), (1, 1)
        ),
        *checks.platform_retries(out, given_up),
        *checks.rows_and_audit(out, [*_MARKED, ("TM", "2025-08-07"), ("WMT", "2025-08-21")]),
        *checks.correlation(out),
    ]


def redriving(context: DemoContext) -> list[Check]:
    """An event that comes before its row is a dead letter; once the row is there, it is brought back."""
    out = context.directory / "redriven"
    _heading(context.screen, "A dead letter brought back", "its event came before its row")
    bring_back = RedriveDemo(context.dynamodb, context.screen)
    summary = run(
        RunOptions(
            calendar=SAMPLES / "calendar.csv",
            events=SAMPLES / "early.jsonl",
            out=out,
            endpoint_url=context.dynamodb.url,
            workers=1,
        ),
        context.screen,
        queue=context.queue,
        then=bring_back,
    )
    context.screen.print(terminal.outcomes(summary))
    late = LATE_ROW.key
    return [
        checks.accounting(summary, 2),
        *bring_back.checks_made,
        checks.check("it is marked at the second delivery", (summary.dead_lettered, summary.marked), (1, 1)),
        *checks.rows_and_audit(out, sorted([*_MARKED, ("TM", "2025-08-07"), ("WMT", "2025-08-21"), late])),
        *redriven(out),
        *checks.correlation(out),
    ]


SCENARIOS: tuple[Callable[[DemoContext], list[Check]], ...] = (main_job, throttling, platform_retries, redriving)


def demo(screen: Console) -> list[Check]:
    """Play every act and return the promises that were broken.

    Args:
        screen: Where it shows.

    Raises:
        LocalError: Something does not start.
    """
    screen.print("starting DynamoDB, a queue and the function: all on this machine, no Docker, no account")
    with ExitStack() as stack:
        context = DemoContext(
            stack.enter_context(dynamodb(announce=screen.print)),
            stack.enter_context(queue_service()),
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mep-demo-"))),
            screen,
        )
        if context.dynamodb.reason:
            screen.print(f"DynamoDB is an emulator here: {context.dynamodb.reason}", markup=False)
        acts = [(act, act(context)) for act in SCENARIOS]
    _heading(screen, "Promises", "checked on what the acts left behind")
    for act, checks_made in acts:
        screen.print(Text((act.__doc__ or "").splitlines()[0], "dim"))
        for promise in checks_made:
            word = Text("BROKEN", "bold red") if promise.failure else Text("kept  ", "green")
            screen.print(Text.assemble("  ", word, "  ", promise.text))
            if promise.failure:
                screen.print(Padding(Text(terminal.escape_control(promise.failure), "red"), (0, 0, 0, 10)))
    return [promise for _, checks_made in acts for promise in checks_made if promise.failure]


def _heading(screen: Console, title: str, explanation: str) -> None:
    screen.print()
    screen.print(Rule(Text.assemble((title, "bold"), (f"  {explanation}", "dim")), align="left", characters="-"))
