"""The two sides of the comparison: the emulator with the image, and our pipeline with the function's process."""

import json
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from emulator.environment import FunctionConfig
from emulator.faults import FaultProxy, endless
from emulator.lambda_runtime.worker import Worker
from emulator.pipeline.bus import Entry, EventPattern, PatternMatcher
from emulator.pipeline.destinations import SqsDestination
from emulator.pipeline.model import AsyncInvokeConfig, PipelineSettings, TargetRetryPolicy
from emulator.pipeline.pipeline import EventPipeline as OurPipeline
from emulator.pipeline.pipeline import FailureDestinations
from emulator.pipeline.rule_target import InvokeError
from emulator.pipeline.scheduler import SimulatedScheduler
from emulator.services.managed_service import LOOPBACK
from emulator.services.sqs import DeadLetter, sqs_client
from tests.support.containers import DYNAMODB_PORT, base_image, running
from tests.support.harness import function_environ
from tests.support.stores import DeadLetters, Tables
from tests.system.localemu.localemu import Emulator
from tests.system.localemu.observed import Facts, facts
from tests.system.localemu.pipeline import PATTERN, function_arn, pipeline, rule_arn
from tests.system.localemu.scenarios import Scenario

TARPIT = Path(__file__).parents[1] / "image" / "tarpit.py"
_TARPIT_PORT = 8001


_ENDLESS = endless(0.5)
"""The fault of the tarpit."""


def theirs(emulator: Emulator, name: str, image: str, tables: Tables, scenario: Scenario) -> Facts:
    """Send a scenario's events through the emulator."""
    more = dict(scenario.settings)
    with ExitStack() as stack:
        if scenario.trouble == "endless answer":
            more["AWS_ENDPOINT_URL_DYNAMODB"] = f"http://{LOOPBACK}:{_TARPIT_PORT}"
            command = ["python3.13", "/script.py", str(_TARPIT_PORT), str(DYNAMODB_PORT)]
            stack.enter_context(
                running(base_image(), entrypoint=command, files={TARPIT: "/script.py"}, network_mode=emulator.network)
            )
        made = stack.enter_context(pipeline(emulator, name, image, tables, more, timeout_s=scenario.timeout_s))
        made.retry(scenario.retries, destination=scenario.trouble != "classic queue")
        if scenario.trouble == "classic queue":
            made.configure(DeadLetterConfig={"TargetArn": made.queue_arn})
        if scenario.trouble == "no concurrency":
            made.allow(0)
        if scenario.trouble == "no function":
            made.delete_function()
        dead_letters: list[DeadLetter] = []
        event_ids = set()

        def has_outcomes(count: int) -> bool:
            return len(made.outcome_lines()) >= count

        def ended() -> bool:
            dead_letters.extend(made.dead_letters())
            return has_outcomes(len(scenario.tries)) and (scenario.shape is None or bool(dead_letters))

        for number, event in enumerate(scenario.events, start=1):
            event_ids.add(made.put(event))
            if all(event[name] in values for name, values in PATTERN.items()) and number < len(scenario.events):
                emulator.wait_until(f"outcome {number}", partial(has_outcomes, number))
        emulator.wait_until("the end", ended)
        return facts(
            name, tables, scenario.symbol, tries=made.outcome_lines(), dead_letters=dead_letters, event_ids=event_ids
        )


def ours(name: str, tables: Tables, dead_letters: DeadLetters, test: PatternMatcher, scenario: Scenario) -> Facts:
    """Send a scenario's events through our pipeline."""
    outcome_lines: list[dict[str, Any]] = []

    def sink(_: str, line: str) -> None:
        if line.startswith("{") and (read := json.loads(line)).get("event_type") == "event_outcome":
            outcome_lines.append(read)

    more = dict(scenario.settings)
    with ExitStack() as stack:
        if scenario.trouble == "endless answer":
            more["AWS_ENDPOINT_URL_DYNAMODB"] = stack.enter_context(FaultProxy(tables.url, _ENDLESS)).url
        variables = function_environ(tables, dead_letters, **more)
        client = stack.enter_context(closing(sqs_client(dead_letters.url)))
        destination = SqsDestination(client, dead_letters.queue_url)
        destinations = FailureDestinations(rule_dlq=destination, on_failure=destination)
        if scenario.trouble == "classic queue":
            destinations = FailureDestinations(rule_dlq=destination, lambda_dlq=destination)
        made = OurPipeline(
            SimulatedScheduler(),
            [stack.enter_context(Worker(FunctionConfig(settings=variables), sink))],
            PipelineSettings(
                AsyncInvokeConfig(
                    scenario.retries, reserved_concurrency=0 if scenario.trouble == "no concurrency" else None
                ),
                TargetRetryPolicy(1, 3600),
                scenario.timeout_s,
                function_arn(name),
                rule_arn(name),
            ),
            destinations=destinations,
            pattern=EventPattern(PATTERN, test),
            invoke_api=_gone if scenario.trouble == "no function" else None,
        )
        event_ids = set()
        for event in scenario.events:
            entry = Entry(event["source"], event["detail-type"], json.dumps(event["detail"]).encode())
            event_ids.add(made.put_entry(entry))
            made.run()
        return facts(
            name, tables, scenario.symbol, tries=outcome_lines, dead_letters=dead_letters.drain(), event_ids=event_ids
        )


def _gone(_: bytes) -> InvokeError:
    """Lambda's Invoke API, where there is no such function."""
    return InvokeError("NO_RESOURCE", "Function not found")
