"""The soak: the function in real processes behind the event pipeline, and stores with faults."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from emulator.clients import loopback_client
from emulator.environment import FunctionConfig
from emulator.lambda_runtime.worker import Worker, start_workers
from emulator.pipeline.destinations import sqs_destination
from emulator.pipeline.model import AsyncInvokeConfig, Disposition, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations
from emulator.pipeline.scheduler import RealTimeScheduler
from emulator.services.dynamodb import dynamodb_local
from emulator.services.sqs import queue_service
from emulator.services.tables import AUDIT_TABLE, CALENDAR_TABLE, create_tables
from handler.startup import ADOT_FAILED
from tests.soak import fake_aws as fake
from tests.soak.chaos import RandomKillInvoker
from tests.soak.event_source import EventSource, stopped_by_signals
from tests.soak.fake_aws import FakeAwsClient, FakeAwsPorts
from tests.soak.faults import FaultRates
from tests.soak.ledger import Ledger
from tests.soak.plan import Plan, Shares
from tests.soak.reconciliation import Reconciliation, ReconciliationInput, Stores, reconcile
from tests.soak.redrive import read_all, redrive_all
from tests.soak.resource_usage import Checkpoint, UsageMeter
from tests.support.export_modes import export_mode_variables

_DESTINATION_THREADS = 2
_SPEED = 300
_UNUSED = (
    Disposition.NO_OUTCOME,
    Disposition.LAMBDA_DLQ,
    Disposition.RULE_DLQ,
    Disposition.DROPPED,
    Disposition.FILTERED,
)


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """What to soak in.

    Attributes:
        events: How many to send.
        seed: Of everything that is drawn.
        workers: Function processes side by side.
        minutes: No further events are sent after so many; None for no such end.
        rates: Of the faults on the wire.
        shares: Of the events' kinds.
        kill: Probability that an invocation's process is killed.
        kill_within_s: At the latest so long after the invocation's begin.
        redeliver: Probability that Lambda's queue delivers an event again after it succeeded.
        read_timeout_s: The function's, for each call; a stall is waited for so long.
        moments: Numbers of ended deliveries at which the cost so far is noted.
        dynamodb_local: Whether DynamoDB Local is the store, behind the faults.
        store: Module of the fake DynamoDB otherwise.
        export_mode: A key of `tests.support.export_modes.EXPORT_MODES`.
    """

    events: int
    seed: int = 1
    workers: int = 6
    minutes: float | None = None
    rates: FaultRates = field(default_factory=FaultRates)
    shares: Shares = field(default_factory=Shares)
    kill: float = 0.000_25
    kill_within_s: float = 0.02
    redeliver: float = 0.001
    read_timeout_s: float = 1.0
    moments: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    dynamodb_local: bool = False
    store: str = fake.MODULE
    export_mode: str = "layer"


@dataclass(frozen=True, slots=True)
class SoakResult:
    """The result of a soak.

    Attributes:
        account: The reconciliation.
        kinds: Events sent, by kind.
        dispositions: Delivery results, by disposition.
        tries: Invocations.
        redelivered: Deliveries that Lambda's queue repeated after a success.
        kills: Function processes killed.
        dead_letters: What lies in the queue at the end, copies counted.
        counters: What the store saw: calls, transactions, faults.
        moments: The cost on the way; the last one is the end.
        seconds: From the first event to the last ending.
    """

    account: Reconciliation
    kinds: dict[str, int]
    dispositions: dict[str, int]
    tries: int
    redelivered: int
    kills: int
    dead_letters: int
    counters: dict[str, Any]
    moments: tuple[Checkpoint, ...]
    seconds: float


type Watch = Callable[[int, int], None]
"""Called with the number of events sent and of deliveries that ended."""


def soak(options: SoakOptions, watch: Watch, say: Callable[[str], None]) -> SoakResult:
    """Send the events, redrive transient failures, and reconcile.

    Args:
        options: What to do.
        watch: Called with the progress.
        say: Called with a line of text.

    Raises:
        RunError: Something does not start, or ends.
    """
    plan = Plan(options.seed, options.shares)
    with ExitStack() as stack:
        queue = stack.enter_context(queue_service())
        url = stack.enter_context(dynamodb_local(announce=say)).url if options.dynamodb_local else None
        ports = stack.enter_context(
            fake.fake_aws(queue.url, options.rates, options.seed, dynamodb_url=url, module=options.store)
        )
        client = stack.enter_context(closing(FakeAwsClient(ports)))
        with closing(loopback_client("dynamodb", ports.url)) as dynamodb:
            create_tables(dynamodb, CALENDAR_TABLE, AUDIT_TABLE)
        function = function_config(ports, queue.queue_url, options.export_mode, read_timeout_s=options.read_timeout_s)
        output = FunctionOutput()
        workers = [stack.enter_context(Worker(function, output)) for _ in range(options.workers)]
        start_workers(workers)
        invokers = [
            RandomKillInvoker(worker, options.kill, options.kill_within_s, f"{options.seed} {number}")
            for number, worker in enumerate(workers)
        ]
        meter = UsageMeter()
        ledger = Ledger(options.events, meter.note, options.moments)
        destination = stack.enter_context(sqs_destination(queue))
        pipeline = EventPipeline(
            RealTimeScheduler(options.workers + _DESTINATION_THREADS, scale=1 / _SPEED),
            invokers,
            PipelineSettings(
                invoke=AsyncInvokeConfig(duplicate_probability=options.redeliver),
                function_arn=function.arn,
                seed=options.seed,
            ),
            destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
            on_result=ledger,
        )
        feed = EventSource(plan, options.events, options.minutes, client, lambda sent: watch(sent, ledger.ended))
        with stopped_by_signals(feed):
            pipeline.run(feed)
        meter.note(ledger.ended)
        say(f"{feed.sent:,} events sent; the outage ends, and what is transient is redriven")
        client.call("Soak.Recover")
        redriven = redrive_all(pipeline, ports.url, queue, function.arn, say)
        seconds = meter.seconds()
        say("reading the stores")
        counters = client.call("Soak.Counters")
        stores = Stores(options.events)
        stores.read_calendar(client.scan(CALENDAR_TABLE))
        stores.read_audit(client.scan(AUDIT_TABLE))
        reading = read_all(queue)
        stores.read_dead_letters(dead_letter.event for dead_letter in reading.dead_letters)
        stores.unknown_dead_letters += reading.in_flight + reading.unseen
        evidence = ReconciliationInput(plan, feed.sent, stores, ledger, redriven)
        return SoakResult(
            account=reconcile(evidence, _disagreements(evidence, pipeline, counters, output)),
            kinds=feed.kinds,
            dispositions={disposition.value: count for disposition, count in ledger.dispositions.items() if count},
            tries=ledger.tries,
            redelivered=pipeline.counters.redelivered,
            kills=sum(invoker.kills for invoker in invokers),
            dead_letters=len(reading.dead_letters),
            counters=counters,
            moments=tuple(meter.moments),
            seconds=seconds,
        )


class FunctionOutput:
    """Takes the lines of the function's processes, and counts the starts in `layer` that ended in `direct`.

    Attributes:
        starts_without_adot: How many.
    """

    def __init__(self) -> None:
        self.starts_without_adot = 0

    def __call__(self, _stream: str, line: str) -> None:
        """Take a line."""
        self.starts_without_adot += ADOT_FAILED in line


def function_config(
    ports: FakeAwsPorts, queue_url: str, export_mode: str, *, read_timeout_s: float = 1.0
) -> FunctionConfig:
    """Return the function with the fake's endpoints.

    Args:
        ports: The ports of the fake.
        queue_url: URL of the dead-letter queue.
        export_mode: A key of `tests.support.export_modes.EXPORT_MODES`.
        read_timeout_s: The function's, for each call.

    Raises:
        EmulatorError: The packages of the export mode are not installed.
    """
    return FunctionConfig(
        settings={
            "AWS_ENDPOINT_URL_DYNAMODB": ports.url,
            "AWS_ENDPOINT_URL_SQS": ports.url,
            "AWS_READ_TIMEOUT_SECONDS": f"{read_timeout_s:g}",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{ports.udp}",
            "DEAD_LETTER_QUEUE_URL": queue_url,
            "EARNINGS_AUDIT_TABLE": AUDIT_TABLE,
            "EARNINGS_CALENDAR_TABLE": CALENDAR_TABLE,
            "ENVIRONMENT": "soak",
            **export_mode_variables(export_mode),
        }
    )


def _disagreements(
    evidence: ReconciliationInput, pipeline: EventPipeline, counters: dict[str, Any], output: FunctionOutput
) -> list[str]:
    """Where the witnesses do not say the same."""
    account, stores, ledger = pipeline.counters, evidence.stores, evidence.ledger
    rows = sum(map(bool, stores.marked_by))
    elsewhere = sum(ledger.dispositions[disposition] for disposition in _UNUSED)
    pairs = {
        "deliveries accepted by the pipeline; sent and redriven": (account.received, evidence.sent + evidence.redriven),
        "deliveries that ended; that were made": (ledger.ended, account.received + account.redelivered),
        # DynamoDB Local has no such counters.
        "transactions that the store committed; rows marked": (counters.get("committed", rows), rows),
        "audit entries of markings; rows marked": (sum(stores.entries), rows),
        "audit entries of redrives; messages redriven": (stores.others["redriven"], evidence.redriven),
        "messages without an event of the soak, or not received; none": (stores.unknown_dead_letters, 0),
        "records that no failure destination accepted; none": (ledger.unsent, 0),
        "deliveries that ended where none should; none": (elsewhere, 0),
        "processes in which ADOT could not be set up; none": (output.starts_without_adot, 0),
    }
    return [f"{what}: {left:,} and {right:,}" for what, (left, right) in pairs.items() if left != right]
