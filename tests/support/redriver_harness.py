"""The automatic redrive between proxies that see every call; the function behind Lambda's API is the real one."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pytest

from emulator.environment import LOCAL_CREDENTIALS, REGION
from emulator.faults import Exchange, Fault, FaultProxy, Reply
from emulator.services.sqs import sqs_client
from mep.errors import MepError
from redriver import app
from redriver.clock import Clock
from redriver.invocation import lambda_client
from redriver.redrive import Status
from redriver.report import Report
from redriver.settings import RedriverSettings, load_settings
from tests.support.dead_letters import Parts
from tests.support.harness import FunctionHarness, function_environ, function_harness
from tests.support.invocation import Invoked
from tests.support.stores import DeadLetters, Tables

ALIAS_ARN = "arn:aws:lambda:us-east-1:000000000000:function:mark-earnings-processed-test:live"
RULE_ARN = "arn:aws:events:us-east-1:000000000000:rule/earnings-test/rule"
_NO_UPSTREAM = "http://127.0.0.1:9"
_JSON = {"Content-Type": "application/x-amz-json-1.1"}


@dataclass
class Platform:
    """EventBridge's and Lambda's answers.

    Attributes:
        function: The function.
        rule_state: The state of the rule.
        concurrency: The function's reserved concurrency; None for none.
        invoked: What each invocation returned, in order.
        headers: The headers of each request to invoke it.
    """

    function: FunctionHarness
    rule_state: str = "ENABLED"
    concurrency: int | None = None
    invoked: list[Invoked] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def reply(self, exchange: Exchange) -> Reply:
        """Return the response to a request."""
        request = exchange.request
        if request.operation == "DescribeRule":
            return Reply(200, json.dumps({"Name": "rule", "Arn": RULE_ARN, "State": self.rule_state}).encode(), _JSON)
        if request.method == "GET":
            found = {} if self.concurrency is None else {"ReservedConcurrentExecutions": self.concurrency}
            return Reply(200, json.dumps(found).encode(), _JSON)
        self.headers.append(request.headers)
        invoked = self.function(request.json)
        self.invoked.append(invoked)
        headers = {"x-amzn-RequestId": invoked.request_id}
        if invoked.error is None:
            return Reply(200, json.dumps(invoked.answer).encode(), headers)
        error = {"errorType": type(invoked.error).__name__, "errorMessage": str(invoked.error)}
        return Reply(200, json.dumps(error).encode(), {**headers, "X-Amz-Function-Error": "Unhandled"})


@dataclass
class RedriverHarness:
    """Everything around the automatic redrive.

    Attributes:
        tables: The tables.
        dead_letters: The queue.
        platform: EventBridge's and Lambda's answers.
        sqs, dynamodb, events, lambda_: The proxies of the redrive.
        writes: The proxy between the function and DynamoDB.
        now: The time of day; each run adds to it.
        lines: The lines of the last run.
    """

    tables: Tables
    dead_letters: DeadLetters
    platform: Platform
    sqs: FaultProxy
    dynamodb: FaultProxy
    events: FaultProxy
    lambda_: FaultProxy
    writes: FaultProxy
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    remaining_s: float = 300
    lines: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def settings(self) -> RedriverSettings:
        """The settings, with one client of each service for all runs, as in a sandbox."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ().items():
                patch.setenv(name, value)
            settings = load_settings(self.environ())
            for service in ("sqs", "dynamodb", "events", "lambda"):
                settings.client(service)
            lambda_client(settings.aws)
            return settings

    def environ(self) -> dict[str, str]:
        """The variables of the redrive."""
        return {
            **LOCAL_CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "1",  # boto3 would wait between them
            "ENVIRONMENT": "test",
            "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue_url,
            "EARNINGS_CALENDAR_TABLE": self.tables.calendar_table,
            "EARNINGS_AUDIT_TABLE": self.tables.audit_table,
            "EVENT_BUS_NAME": "earnings-test",
            "AUTO_REDRIVE_FUNCTION": ALIAS_ARN,
            "AUTO_REDRIVE_RULE": "rule",
            "AWS_ENDPOINT_URL_SQS": self.sqs.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "AWS_ENDPOINT_URL_EVENTBRIDGE": self.events.url,
            "AWS_ENDPOINT_URL_LAMBDA": self.lambda_.url,
        }

    def send(self, *parts: Parts) -> list[str]:
        """Put dead letters into the queue and return their message IDs."""
        with closing(sqs_client(self.dead_letters.url)) as client:
            return [
                client.send_message(
                    QueueUrl=self.dead_letters.queue_url,
                    MessageBody=body,
                    MessageAttributes={
                        name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
                    },
                )["MessageId"]
                for body, attributes in parts
            ]

    def run_to(self, status: Status) -> None:
        """Run the redrive, and require that it ends with a status: a failed one raises, which the alarm counts."""
        if status is Status.FAILED:
            with pytest.raises(MepError):
                self.run()
        else:
            assert self.run() is status

    def run(self, *, after: timedelta = timedelta(minutes=15), calendar: bool = False) -> Status:
        """Run a task; its lines are in `lines` also if it fails."""
        self.now += after
        self.lines.clear()
        report = Report("test", "request", "7", lambda line: self.lines.append(json.loads(line)), self._tick)
        clock = Clock(lambda: self.remaining_s, self._tick, self._sleep)
        task = app.check_calendar if calendar else app.redrive
        return task(self.settings, report, clock)

    def _tick(self) -> datetime:
        self.now += timedelta(microseconds=1)  # audit entries of one row have different times
        return self.now

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.remaining_s -= seconds

    @property
    def log(self) -> dict[str, Any]:
        """The log line of the last run."""
        (line,) = [line for line in self.lines if "event_type" in line]
        return line

    def metrics(self, category: str | None = None) -> dict[str, float]:
        """The metrics of the last run with the dimension `Environment`, and a category if one is given."""
        found: dict[str, float] = {}
        for line in self.lines:
            if "_aws" in line and line.get("ErrorCategory") == category:
                found |= {
                    metric["Name"]: line[metric["Name"]]
                    for directive in line["_aws"]["CloudWatchMetrics"]
                    for metric in directive["Metrics"]
                }
        return found

    def audit(self) -> list[dict[str, Any]]:
        """Every audit entry, in the order of time."""
        items = self.tables.client.scan(TableName=self.tables.audit_table, ConsistentRead=True)["Items"]
        plain = [{name: value.get("S") for name, value in item.items()} for item in items]
        return sorted(plain, key=lambda entry: str(entry["recorded_at"]))


@contextmanager
def redriver_harness(tables: Tables, dead_letters: DeadLetters) -> Iterator[RedriverHarness]:
    """Start the function, and the proxies around the redrive."""
    with (
        FaultProxy(tables.url) as writes,
        function_harness(function_environ(tables, dead_letters, AWS_ENDPOINT_URL_DYNAMODB=writes.url)) as function,
    ):
        platform = Platform(function)
        served = Fault("served", lambda exchange: exchange.reply(platform.reply(exchange)))
        with (
            FaultProxy(dead_letters.url) as sqs,
            FaultProxy(tables.url) as dynamodb,
            FaultProxy(_NO_UPSTREAM, otherwise=served) as events,
            FaultProxy(_NO_UPSTREAM, otherwise=served) as lambda_,
        ):
            yield RedriverHarness(tables, dead_letters, platform, sqs, dynamodb, events, lambda_, writes)
