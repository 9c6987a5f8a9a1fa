"""What a run of `mep local` starts on this machine: DynamoDB, the function, and the pipeline that delivers events."""

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from rich.console import Console

from emulator.environment import ACCOUNT_ID, FunctionConfig
from emulator.errors import EmulatorError
from emulator.lambda_runtime.worker import Worker, start_workers
from emulator.pipeline.destinations import Destination
from emulator.pipeline.invokers import Invoker
from emulator.pipeline.model import DeliveryResult, PipelineSettings
from emulator.pipeline.pipeline import EventPipeline, FailureDestinations
from emulator.pipeline.scheduler import RealTimeScheduler
from emulator.services.dynamodb import dynamodb
from emulator.services.sqs import QueueEndpoint
from handler.contract import AUDIT, BUS, CALENDAR
from mep.errors import RunError
from mep.local.options import RunOptions
from mep.local.run_files import RunFiles
from mep.terminal import print_line

_DESTINATION_THREADS = 2


def start_dynamodb(stack: ExitStack, console: Console) -> str:
    """Start a DynamoDB that ends with `stack`, and return its URL.

    Raises:
        EmulatorError: It does not start.
    """
    endpoint = stack.enter_context(dynamodb(announce=partial(print_line, console)))
    if endpoint.reason:
        print_line(console, f"using a DynamoDB emulator: {endpoint.reason}")
    return endpoint.url


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
        },
    )


def start_function(workers: list[Worker], options: RunOptions) -> None:
    """Start the workers of a run.

    Raises:
        RunError: The function does not start.
    """
    if not workers:
        return
    try:
        start_workers(workers)
    except EmulatorError as error:
        raise RunError(f"{error} (its output: {options.out / 'logs.jsonl'})") from error


def build_pipeline(
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
