"""Bus, rule, function and both failure destinations on the emulator, created by the services' APIs."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from emulator.environment import ACCOUNT_ID, REGION
from emulator.services.managed_service import LOOPBACK
from emulator.services.sqs import DeadLetter, QueueEndpoint, create_queue, drain
from tests.support.stores import Tables
from tests.system.localemu.localemu import DYNAMODB_URL, GATEWAY_PORT, Emulator

PATTERN: Mapping[str, list[str]] = {"source": ["signal9.advisor"], "detail-type": ["earningsProcessed"]}


def function_arn(name: str) -> str:
    """ARN of a pipeline's function."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"


def rule_arn(name: str) -> str:
    """ARN of a pipeline's rule."""
    return f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{name}/{name}"


_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


@dataclass(frozen=True)
class DeployedPipeline:
    """What an event goes through.

    Attributes:
        emulator: Where it is.
        name: Of the event bus, of the rule on it and of the function.
        queue: Both failure destinations and the function's dead-letter queue, as deployed.
        queue_arn: Its ARN.
    """

    emulator: Emulator
    name: str
    queue: QueueEndpoint
    queue_arn: str

    def put(self, event: Mapping[str, Any]) -> str:
        """Put an event on the bus and return the ID that the bus gave it.

        Only what a producer sends is taken of it: source, detail-type, detail.
        """
        entry = {
            "EventBusName": self.name,
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
        }
        with closing(self.emulator.client("events")) as events:
            [put] = events.put_events(Entries=[entry])["Entries"]
        return str(put["EventId"])

    def outcome_lines(self) -> list[dict[str, Any]]:
        """Return the log lines with an outcome so far."""
        return [line for line in self.emulator.function_lines(self.name) if line.get("event_type") == "event_outcome"]

    def dead_letters(self) -> list[DeadLetter]:
        """Take every message out of the queue."""
        return drain(self.queue)

    def configure(self, **settings: Any) -> None:
        """Change the function's configuration, and wait until it is in force; settings are the API's."""
        with closing(self.emulator.client("lambda")) as client:
            client.update_function_configuration(FunctionName=self.name, **settings)
            client.get_waiter("function_updated_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 1})

    def allow(self, executions: int) -> None:
        """Set the function's reserved concurrency."""
        with closing(self.emulator.client("lambda")) as client:
            client.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=executions)

    def retry(self, attempts: int, *, destination: bool = True) -> None:
        """Set the retries of asynchronous invocations, and whether there is an on-failure destination."""
        where = {"OnFailure": {"Destination": self.queue_arn}} if destination else {}
        with closing(self.emulator.client("lambda")) as client:
            client.put_function_event_invoke_config(
                FunctionName=self.name, MaximumRetryAttempts=attempts, DestinationConfig=where
            )

    def delete_function(self) -> None:
        """Delete the function; the rule still points at it."""
        with closing(self.emulator.client("lambda")) as client:
            client.delete_function(FunctionName=self.name)


def function_settings(emulator: Emulator, tables: Tables, queue: QueueEndpoint) -> dict[str, str]:
    """The function's environment variables, as its container in the emulator needs them."""
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": DYNAMODB_URL,
        "AWS_ENDPOINT_URL_SQS": f"http://{LOOPBACK}:{GATEWAY_PORT}",
        "EARNINGS_CALENDAR_TABLE": tables.calendar_table,
        "EARNINGS_AUDIT_TABLE": tables.audit_table,
        "DEAD_LETTER_QUEUE_URL": emulator.inside(queue.queue_url),
    }


@contextmanager
def pipeline(
    emulator: Emulator, name: str, image: str, tables: Tables, settings: Mapping[str, str], *, timeout_s: int = 30
) -> Iterator[DeployedPipeline]:
    """Create a pipeline for the length of a `with` block, and remove its container afterwards.

    Args:
        emulator: Where.
        name: Of everything in it.
        image: The function's.
        tables: The function's.
        settings: Environment variables of the function's on top of the usual.
        timeout_s: The function's timeout, seconds.
    """
    with ExitStack() as stack:
        events, functions, sqs, iam = (
            stack.enter_context(closing(emulator.client(service))) for service in ("events", "lambda", "sqs", "iam")
        )
        queue = create_queue(emulator.url, name)
        asked = sqs.get_queue_attributes(QueueUrl=queue.queue_url, AttributeNames=["QueueArn"])
        queue_arn = asked["Attributes"]["QueueArn"]
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"]["Arn"]
        functions.create_function(
            FunctionName=name,
            PackageType="Image",
            Code={"ImageUri": image},
            Role=role,
            Timeout=timeout_s,
            MemorySize=128,
            Environment={"Variables": {**function_settings(emulator, tables, queue), **settings}},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        events.create_event_bus(Name=name)
        events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps(PATTERN))
        target = {
            "Id": "function",
            "Arn": function_arn(name),
            "DeadLetterConfig": {"Arn": queue_arn},
            "RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 3600},
        }
        events.put_targets(Rule=name, EventBusName=name, Targets=[target])
        made = DeployedPipeline(emulator, name, queue, queue_arn)
        made.retry(2)
        try:
            yield made
        finally:
            # Its container holds the port that the next one's needs.
            if any(function["FunctionName"] == name for function in functions.list_functions()["Functions"]):
                made.delete_function()
