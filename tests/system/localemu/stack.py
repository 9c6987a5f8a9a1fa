"""The synthesised stack on the emulator: created, updated and deleted by CloudFormation's API, as the CDK does it.

The template goes in as it is, except for what a test has to say: which image, and where DynamoDB is. The emulator makes
the stack's tables, too, but the function works on tables of the same definition in DynamoDB Local: the emulator's
transactions are not atomic.
"""

import copy
import json
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import WaiterError

from emulator.environment import ACCOUNT_ID, REGION
from emulator.services.managed_service import LOOPBACK
from emulator.services.sqs import DeadLetter, QueueEndpoint, drain
from tests.support.stores import Tables
from tests.system.localemu.localemu import DYNAMODB_URL, GATEWAY_PORT, Emulator
from tests.unit.deploy.assembly import Template, template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ARCHITECTURE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"

_BUCKET = "templates"
_TABLE = ("TableName", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
_NOT_EMULATED = "unknown"
"""The physical ID that the emulator gives to what it only pretends to make."""


class StackError(Exception):
    """CloudFormation could not make something; says what, and why."""


@dataclass
class Stack:
    """A stack on the emulator.

    Attributes:
        emulator: Where.
        account: An account of its own, so that no other stack's names are in its way.
        image: What its function runs.
        name: The stack's.
        template: As it was synthesised.
        tables: The function's, in DynamoDB Local.
        variables: Variables of the function beyond the template's.
    """

    emulator: Emulator
    account: str
    image: str
    name: str
    template: Template
    tables: Tables
    variables: dict[str, str] = field(
        default_factory=lambda: {
            "AWS_ENDPOINT_URL_DYNAMODB": DYNAMODB_URL,
            "AWS_ENDPOINT_URL_SQS": f"http://{LOOPBACK}:{GATEWAY_PORT}",
        }
    )

    def client(self, service: str) -> Any:
        """Return a client for one of the emulator's APIs, in the stack's account. The caller closes it."""
        return self.emulator.client(service, self.account)

    @property
    def hook(self) -> str:
        """The logical ID of the hook before traffic, which is left out."""
        return self.template.ids("AWS::Lambda::Function")[1]

    def create(self) -> None:
        """Create it, and wait until it is complete.

        Raises:
            StackError: A resource could not be made.
        """
        self._apply("create")

    def update(self, template: Template) -> None:
        """Update it to another template, and wait until that is complete.

        Raises:
            StackError: A resource could not be changed.
        """
        self.template = template
        self._apply("update")

    def delete(self) -> None:
        """Delete it, and wait until it is gone.

        Raises:
            StackError: A resource could not be deleted.
        """
        with closing(self.client("cloudformation")) as client:
            before = len(self._events(client))
            client.delete_stack(StackName=self.name)
            try:
                client.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})
            except WaiterError as error:
                raise StackError(f"{error}; {self._failed(client, before)}") from error

    def resources(self) -> dict[str, tuple[str, str]]:
        """Type and physical ID of each resource, by its logical ID."""
        with closing(self.client("cloudformation")) as client:
            pages = client.get_paginator("list_stack_resources").paginate(StackName=self.name)
            return {
                each["LogicalResourceId"]: (each["ResourceType"], each.get("PhysicalResourceId", _NOT_EMULATED))
                for page in pages
                for each in page["StackResourceSummaries"]
                if each["ResourceStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
            }

    def pretended(self) -> set[str]:
        """Types that the emulator reports as created, but does not create."""
        return {kind for kind, physical in self.resources().values() if physical == _NOT_EMULATED}

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs, with URLs for this machine."""
        with closing(self.client("cloudformation")) as client:
            [stack] = client.describe_stacks(StackName=self.name)["Stacks"]
        return {each["OutputKey"]: self.emulator.outside(each["OutputValue"]) for each in stack.get("Outputs", [])}

    @property
    def queue(self) -> QueueEndpoint:
        """Its dead-letter queue."""
        return QueueEndpoint(self.emulator.url, self.outputs()["DeadLetterQueueUrl"])

    def dead_letters(self) -> list[DeadLetter]:
        """Take every message out of its queue."""
        return drain(self.queue)

    def put(self, event: Mapping[str, Any]) -> None:
        """Put an event on its bus, as a producer does."""
        entry = {
            "EventBusName": self.outputs()["EventBusName"],
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
        }
        with closing(self.client("events")) as events:
            assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def outcome_lines(self) -> list[dict[str, Any]]:
        """Return the log lines with an outcome so far."""
        lines = self.emulator.function_lines(self.outputs()["FunctionName"], self.account)
        return [line for line in lines if line.get("event_type") == "event_outcome"]

    def wait_for(self, *outcomes: str) -> None:
        """Wait until the function has logged so many outcomes.

        Raises:
            AssertionError: They are others, or did not come.
        """
        logged = self.emulator.wait_until(f"outcomes {outcomes}", lambda: self._as_many(len(outcomes)))
        assert tuple(logged) == outcomes

    def _as_many(self, count: int) -> list[str]:
        logged = [line["outcome"] for line in self.outcome_lines()]
        return logged if len(logged) >= count else []

    def forget_alias(self) -> None:
        """Delete the function's alias, past CloudFormation."""
        [alias] = self.template.all("AWS::Lambda::Alias")
        with closing(self.client("lambda")) as client:
            client.delete_alias(FunctionName=self.outputs()["FunctionName"], Name=alias["Name"])

    def end(self) -> None:
        """Delete its function, if it is still there, past CloudFormation: its container holds the port of the next."""
        with closing(self.client("lambda")) as client:
            for function in client.list_functions()["Functions"]:
                client.delete_function(FunctionName=function["FunctionName"])

    def mep(
        self,
        *arguments: str,
        services: Sequence[str] = ("SQS", "EVENTBRIDGE", "LAMBDA", "CLOUDWATCH", "STS"),
        seconds: int = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run the operator's command line against it.

        Args:
            arguments: The arguments.
            services: The services whose endpoints are set, besides DynamoDB.
            seconds: The timeout.
        """
        outputs = self.outputs()
        environment = {
            **os.environ,
            **{f"AWS_ENDPOINT_URL_{service}": self.emulator.url for service in services},
            "AWS_ENDPOINT_URL_DYNAMODB": self.emulator.dynamodb_url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.account,
            "DEAD_LETTER_QUEUE_URL": outputs["DeadLetterQueueUrl"],
            "EARNINGS_AUDIT_TABLE": outputs["AuditTable"],
            "EVENT_BUS_NAME": outputs["EventBusName"],
        }
        command = [str(Path(sys.executable).with_name("mep")), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)

    def _apply(self, verb: str) -> None:
        with ExitStack() as stack:
            client, s3 = (stack.enter_context(closing(self.client(service))) for service in ("cloudformation", "s3"))
            # Too large to be given along: by a bucket, as the CDK does.
            key = f"{self.name}-{verb}.json"
            bucket = f"{_BUCKET}-{self.account}"
            s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(self._document()).encode())
            before = len(self._events(client)) if verb == "update" else 0
            getattr(client, f"{verb}_stack")(
                StackName=self.name,
                TemplateURL=f"http://{LOOPBACK}:{GATEWAY_PORT}/{bucket}/{key}",
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            try:
                client.get_waiter(f"stack_{verb}_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})
            except WaiterError as error:
                raise StackError(f"{error}; {self._failed(client, before)}") from error
            if failed := self._failed(client, before):
                raise StackError(failed)

    def _events(self, client: Any) -> list[dict[str, Any]]:
        pages = client.get_paginator("describe_stack_events").paginate(StackName=self.name)
        return [event for page in pages for event in page["StackEvents"]]

    def _failed(self, client: Any, before: int) -> str:
        """What failed since there were so many events; the newest is the first."""
        events = self._events(client)
        return "; ".join(
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}"
            for event in reversed(events[: len(events) - before])
            if event["ResourceStatus"].endswith("_FAILED")
        )

    def _document(self) -> dict[str, Any]:
        document = copy.deepcopy(dict(self.template.document))
        function, hook = self.template.ids("AWS::Lambda::Function")[0], self.hook
        # The emulator would pull the image of the hook's runtime, and has no CodeDeploy that invokes the hook:
        # tests/integration/deploy runs it.
        name = document["Resources"].pop(hook)["Properties"].get("FunctionName", hook)
        document["Resources"] = _without(document["Resources"], hook, name)
        properties = document["Resources"][function]["Properties"]
        properties["Code"]["ImageUri"] = self.image
        properties["Environment"]["Variables"] |= self.variables
        return document


@contextmanager
def stack(
    emulator: Emulator, image: str, environment: str, variables: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Create a stack for the length of a `with` block, in a new account; afterwards its function is gone.

    Args:
        emulator: Where.
        image: The function's.
        environment: `dev`, `staging` or `prod`.
        variables: Variables of the function that are added.
    """
    made = template(environment, architecture=ARCHITECTURE, auto_redrive_minutes="0", bus_log="off")
    account = f"{secrets.randbelow(10**12):012}"
    with ExitStack() as rest:
        for service, call, given in (
            ("ssm", "put_parameter", {"Name": _bootstrap(made), "Value": "30", "Type": "String", "Overwrite": True}),
            ("s3", "create_bucket", {"Bucket": f"{_BUCKET}-{account}"}),
        ):
            with closing(emulator.client(service, account)) as client:
                getattr(client, call)(**given)
        dynamodb = rest.enter_context(closing(emulator.dynamodb()))
        names = {}
        for logical in made.ids("AWS::DynamoDB::Table"):
            properties = made.resources[logical]["Properties"]
            _forget_table(dynamodb, properties["TableName"])
            dynamodb.create_table(**{name: properties[name] for name in _TABLE if name in properties})
            names["audit" if "Audit" in logical else "calendar"] = properties["TableName"]
            rest.callback(_forget_table, dynamodb, properties["TableName"])
        tables = Tables(emulator.dynamodb_url, names["calendar"], names["audit"], dynamodb)
        started = Stack(emulator, account, image, f"mark-earnings-processed-{environment}", made, tables)
        started.variables |= variables or {}
        rest.callback(started.end)
        started.create()
        yield started


def _without(value: Any, resource: str, name: str) -> Any:
    """Return a part of a template in which `name` replaces what refers to a resource."""
    match value:
        case {"Ref": str(referred)} if referred == resource:
            return name
        case {"Fn::GetAtt": [str(referred), _]} if referred == resource:
            return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
        case dict():
            return {key: _without(member, resource, name) for key, member in value.items()}
        case list():
            return [_without(member, resource, name) for member in value if member != resource]
        case _:
            return value


def _bootstrap(made: Template) -> str:
    """The parameter by which the template knows that the account was bootstrapped for the CDK."""
    name: str = made.document["Parameters"]["BootstrapVersion"]["Default"]
    return name


def _forget_table(dynamodb: "DynamoDBClient", table: str) -> None:
    """Delete a table if it is there: DynamoDB Local does not keep accounts apart."""
    with suppress(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.delete_table(TableName=table)
