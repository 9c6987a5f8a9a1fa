"""What a run of `mep local` starts on this machine: DynamoDB, the function, and the pipeline that delivers events."""

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from rich.console import Console

from emulator.environment import ACCOUNT_ID, FunctionConfig
from emulator.errors import EmulatorError
from emulator.lambda_runtime.worker import Worker, start_workers
from emulator.pipeline.destinations import Destination
from emulator.pipeline.invokers import ContainerInvoker, Invoker
from emulator.pipeline.model import DeliveryResult, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations
from emulator.pipeline.rule_target import InvokeApi
from emulator.pipeline.scheduler import RealTimeScheduler
from emulator.services.dynamodb import DynamoDBEndpoint, dynamodb
from emulator.services.sqs import QUEUE_NAME, QueueEndpoint, queue_service
from handler.contract import AUDIT, BUS, CALENDAR
from mep.errors import RunError, UsageError
from mep.local.faults import Scope
from mep.local.function_env import check_env, time_note
from mep.local.jsonl import read_jsonl
from mep.local.options import RunOptions
from mep.local.run_files import RunFiles
from mep.progress import ProgressBar
from mep.terminal import print_line
from otel.event_types import EventType

_DESTINATION_THREADS = 2


def start_dynamodb(stack: ExitStack, console: Console) -> DynamoDBEndpoint:
    """Start a DynamoDB that ends with `stack`.

    Raises:
        EmulatorError: It does not start.
    """
    with ProgressBar(console, "starting DynamoDB") as progress:

        def announce(text: str) -> None:
            progress.label = text
            print_line(console, text)

        endpoint = stack.enter_context(dynamodb(announce=announce))
    if endpoint.reason:
        print_line(console, f"using a DynamoDB emulator: {endpoint.reason}")
    return endpoint


def start_queue(stack: ExitStack, region: str, console: Console) -> QueueEndpoint:
    """Start a dead-letter queue that ends with `stack`.

    Raises:
        EmulatorError: It does not start.
    """
    with ProgressBar(console, "starting the dead-letter queue"):
        return stack.enter_context(queue_service(region))


def function_config(options: RunOptions, dynamodb_url: str, queue: QueueEndpoint, xray: str) -> FunctionConfig:
    """Return the configuration of the function of a run.

    Args:
        options: What to run.
        dynamodb_url: URL of the DynamoDB.
        queue: The dead-letter queue.
        xray: Host and port of the receiver of spans.
    """
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
            **dict(options.env),
        },
    )


def check_options(options: RunOptions) -> str:
    """Check the settings for the function and the faults, before anything starts.

    Returns:
        What is valid and yet lets no event succeed; empty if there is no such thing.

    Raises:
        UsageError: The function would refuse a setting, or a fault cannot be made.
    """
    nowhere = "http://127.0.0.1:1"
    queue = QueueEndpoint(nowhere, f"{nowhere}/{ACCOUNT_ID}/{QUEUE_NAME}", options.region)
    base = function_config(replace(options, env=()), nowhere, queue, "127.0.0.1:1")
    if options.function_url and (options.env or options.faults):
        raise UsageError("--env and --fault need a function on this machine: with --function-url, it is the container")
    if options.env:
        check_env(dict(options.env), base)
    if any(fault.scope is Scope.WRITE for fault in options.faults) and (options.endpoint_url or "").startswith("https"):
        raise UsageError("--fault needs a DynamoDB without TLS: --endpoint-url must begin with http://")
    return "" if options.function_url else time_note(dict(options.env), base, options.timeout_s)


def start_function(workers: list[Worker], files: RunFiles) -> None:
    """Start the workers of a run.

    Raises:
        RunError: The function does not start; the message has the problems that the function reported.
    """
    if not workers:
        return
    try:
        start_workers(workers)
    except EmulatorError as error:
        files.flush()
        log = files.directory / "logs.jsonl"
        reported = [line for line in read_jsonl(log) if line.get("event_type") == EventType.START_FAILED]
        if reported and (problems := reported[-1].get("problems")):
            raise RunError(f"the function does not start: {'; '.join(problems)}") from error
        raise RunError(f"{error} (its output: {log})") from error


def abandon(invokers: Sequence[Worker | ContainerInvoker]) -> None:
    """End every invocation in progress, and every start of a function."""
    for invoker in invokers:
        invoker.abandon()


def build_pipeline(
    options: RunOptions,
    function: FunctionConfig,
    invokers: Sequence[Invoker],
    destination: Destination,
    files: RunFiles,
    on_end: Callable[[DeliveryResult], None],
    invoke_api: InvokeApi | None = None,
    *,
    abandon: Callable[[], None],
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
        RealTimeScheduler(len(invokers) + _DESTINATION_THREADS, scale=1 / options.speed, abandon=abandon),
        invokers,
        settings,
        destinations=FailureDestinations(on_failure=destination, rule_dlq=destination),
        invoke_api=invoke_api,
        on_result=on_end,
        on_data_point=lambda point: files.platform.write(point.as_dict()),
        on_bus_record=files.bus.write,
    )
