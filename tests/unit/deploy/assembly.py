"""Synthesised templates, with references resolved for a test account."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
REGION = "us-east-1"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mark-earnings-processed:1.0.0"

SEPARATE = ("Monitoring", "PreTraffic", "AutoRedrive", "EventsBusLog")
"""The beginnings of the logical IDs of resources that have tests of their own."""

_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/stack/id",
}
_ARNS = {
    "AWS::DynamoDB::Table": ("dynamodb", "table/{TableName}"),
    "AWS::Events::EventBus": ("events", "event-bus/{Name}"),
    "AWS::Lambda::Function": ("lambda", "function:{FunctionName}"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{LogGroupName}:*"),
    "AWS::SNS::Topic": ("sns", "{TopicName}"),
    "AWS::SQS::Queue": ("sqs", "{QueueName}"),
}
_NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
}


class Template:
    """A synthesised CloudFormation template."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.resources: Mapping[str, Mapping[str, Any]] = document["Resources"]

    def ids(self, kind: str) -> list[str]:
        """Return the logical IDs of all resources of a type."""
        return [name for name, resource in self.resources.items() if resource["Type"] == kind]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return the resolved properties of all resources of a type, without those of `SEPARATE`."""
        return [
            self.resolve(self.resources[name]["Properties"]) for name in self.ids(kind) if not name.startswith(SEPARATE)
        ]

    def automatic(self, kind: str) -> list[dict[str, Any]]:
        """Return the resolved properties of all resources of a type that belong to the automatic redrive."""
        return [
            self.resolve(self.resources[name]["Properties"])
            for name in self.ids(kind)
            if name.startswith("AutoRedrive")
        ]

    def bus_log(self, kind: str) -> list[dict[str, Any]]:
        """Return the resolved properties of all resources of a type that deliver the log of the bus."""
        return [
            self.resolve(self.resources[name]["Properties"])
            for name in self.ids(kind)
            if name.startswith("EventsBusLog")
        ]

    def hook(self, kind: str) -> dict[str, Any]:
        """Return the resolved properties of the hook's only resource of a type."""
        (name,) = [name for name in self.ids(kind) if name.startswith("PreTraffic")]
        properties: dict[str, Any] = self.resolve(self.resources[name]["Properties"])
        return properties

    def one(self, kind: str) -> dict[str, Any]:
        """Return the resolved properties of the only resource of a type."""
        (properties,) = self.all(kind)
        return properties

    def managed_policy(self, name: str) -> Any:
        """Return the document of a managed policy, by the part of its name after the stack's."""
        (policy,) = [
            each for each in self.all("AWS::IAM::ManagedPolicy") if f"-{name}-{REGION}" in each["ManagedPolicyName"]
        ]
        return policy["PolicyDocument"]

    def resolve(self, value: Any) -> Any:
        """Return a value with references resolved; one that only AWS can resolve becomes `<logical ID>`."""
        match value:
            case {"Ref": str(name)} if len(value) == 1:
                return self._reference(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::Join": [separator, parts]}:
                return separator.join(self.resolve(part) for part in parts)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", lambda match: self._reference(match[1]), text)
            case {"Fn::Select": [index, {"Fn::Split": [separator, text]}]}:
                return self.resolve(text).split(separator)[int(index)]
        return self._members(value)

    def _members(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.resolve(member) for key, member in value.items()}
        return [self.resolve(member) for member in value] if isinstance(value, list) else value

    def _reference(self, name: str) -> str:
        if name in _PSEUDO:
            return _PSEUDO[name]
        resource = self.resources[name]
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::SQS::Queue":
                return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{properties['QueueName']}"
            case "AWS::SNS::Topic":
                return self._attribute(name, "Arn")
            case "AWS::Lambda::Alias":
                return f"{self._attribute(self.ids('AWS::Lambda::Function')[0], 'Arn')}:{properties['Name']}"
            case kind if kind in _NAMES:
                return str(self.resolve(properties[_NAMES[kind]]))
        return f"<{name}>"

    def _attribute(self, name: str, attribute: str) -> str:
        resource = self.resources[name]
        if attribute not in {"Arn", "TopicArn"} or resource["Type"] not in _ARNS:
            return f"<{name}.{attribute}>"
        service, rest = _ARNS[resource["Type"]]
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest.format(**resource['Properties'])}"


@cache
def _template(context: tuple[tuple[str, str], ...]) -> Template:
    from deploy.app import build  # CDK takes seconds: not for collecting tests

    assembly = build(dict(context), gates=False).synth()
    (stack,) = assembly.stacks
    return Template(json.loads(Path(stack.template_full_path).read_text()))


def template(environment: str = "prod", **context: str) -> Template:
    """Return the template of an environment, cached. Its image is in ECR, so that code does not change it."""
    return _template(tuple(sorted({"environment": environment, "image_uri": IMAGE, **context}.items())))
