"""`mep dlq` between proxies that see, and may spoil, every call it makes."""

import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from emulator.environment import LOCAL_CREDENTIALS, REGION
from emulator.faults import FaultProxy, Reply, answer
from emulator.services.sqs import DeadLetter, sqs_client
from tests.support.dead_letters import TRACE_HEADER, Parts
from tests.support.stores import DeadLetters, Tables

FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:MarkEarningsProcessed"


@dataclass(frozen=True)
class Harness:
    """Everything around one queue.

    Attributes:
        dead_letters: The queue.
        tables: Where the audit table is.
        bus: Name of the bus.
        sqs, events, dynamodb, function, cloudwatch: The proxies; nothing is behind the last two.
    """

    dead_letters: DeadLetters
    tables: Tables
    bus: str
    sqs: FaultProxy
    events: FaultProxy
    dynamodb: FaultProxy
    function: FaultProxy
    cloudwatch: FaultProxy

    def __post_init__(self) -> None:
        self.cloudwatch.script(
            *[answer(Reply(200, b"{}", {"Content-Type": "application/x-amz-json-1.0"}), name="accepted")] * 20
        )

    def environ(self) -> dict[str, str]:
        """The variables that point `mep dlq` here."""
        return {
            **LOCAL_CREDENTIALS,
            "AWS_REGION": REGION,
            "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue_url,
            "EARNINGS_AUDIT_TABLE": self.tables.audit_table,
            "EVENT_BUS_NAME": self.bus,
            "ENVIRONMENT": "test",
            "MEP_OPERATOR": "alice",
            "AWS_ENDPOINT_URL_SQS": self.sqs.url,
            "AWS_ENDPOINT_URL_EVENTBRIDGE": self.events.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "AWS_ENDPOINT_URL_LAMBDA": self.function.url,
            "AWS_ENDPOINT_URL_CLOUDWATCH": self.cloudwatch.url,
        }

    def send(self, *parts: Parts, trace: bool = False) -> list[str]:
        """Put dead letters into the queue and return their message IDs."""
        system: dict[Literal["AWSTraceHeader"], Any] = {}
        if trace:
            system = {"AWSTraceHeader": {"DataType": "String", "StringValue": TRACE_HEADER}}
        with closing(sqs_client(self.dead_letters.url)) as client:
            return [
                client.send_message(
                    QueueUrl=self.dead_letters.queue_url,
                    MessageBody=body,
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
                    },
                    MessageSystemAttributes=system,
                )["MessageId"]
                for body, attributes in parts
            ]

    def left(self) -> list[DeadLetter]:
        """What is in the queue for others to see; it is empty afterwards."""
        return self.dead_letters.drain()

    def put_events(self) -> list[dict[str, Any]]:
        """The entries that were asked to be put onto the bus, on the wire."""
        calls = [each.request.json for each in self.events.requests if each.request.operation == "PutEvents"]
        return [entry for call in calls for entry in call["Entries"]]

    def audit(self) -> list[dict[str, Any]]:
        """Every audit entry, in the order of time."""
        items = self.tables.client.scan(TableName=self.tables.audit_table, ConsistentRead=True)["Items"]
        plain = [{name: value.get("S") for name, value in item.items()} for item in items]
        return sorted(plain, key=lambda entry: str(entry["recorded_at"]))

    def actions(self) -> list[str]:
        """What the audit entries say was done, in the order of time."""
        return [entry["action"] for entry in self.audit()]

    def metrics(self) -> dict[str, float]:
        """What was sent to CloudWatch, summed."""
        found: dict[str, float] = {}
        for recorded in self.cloudwatch.requests:
            sent = recorded.request.json
            assert sent["Namespace"] == "MarkEarningsProcessed"
            for datum in sent["MetricData"]:
                assert datum["Dimensions"] == [{"Name": "Environment", "Value": "test"}]
                found[datum["MetricName"]] = found.get(datum["MetricName"], 0) + datum["Value"]
        return found


def detail_of(entry: dict[str, Any]) -> dict[str, Any]:
    """The detail of an entry of PutEvents."""
    detail: dict[str, Any] = json.loads(entry["Detail"])
    return detail
