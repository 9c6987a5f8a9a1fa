"""An independent simulator of IAM policies."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.deploy.assembly import ACCOUNT

_FOLDER = Path(__file__).parent / "simulator"


@dataclass(frozen=True, slots=True)
class Call:
    """A call to AWS as IAM evaluates it.

    Attributes:
        action: An IAM action such as `sqs:SendMessage`.
        resource: An ARN; `*` if the action has no resource-level permissions.
        context: Condition keys; a list for a key with several values.
    """

    action: str
    resource: str
    context: Mapping[str, str | list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        through = "".join(f" through {value}" for value in self.context.values())
        return f"{self.action} on {self.resource}{through}"


def verdicts(
    policies: Sequence[Mapping[str, Any]],
    calls: Iterable[Call],
    *,
    principal: str | None = None,
    resource_policy: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Return by call: `Allowed`, `ImplicitlyDenied`, or `Invalid` if AWS has no such call.

    Args:
        policies: Those of the principal.
        calls: What it asks for.
        principal: The ARN of the caller; a role of the resources' account if None.
        resource_policy: The policy of the resource.
    """
    of_the_resource = {"resourcePolicy": resource_policy} if resource_policy else {}
    caller = {"principal": principal} if principal else {}
    questions = [{"action": call.action, "resource": call.resource, "context": dict(call.context)} for call in calls]
    return {
        str(Call(answer["action"], answer["resource"], answer["context"])): answer["verdict"]
        for answer in _simulate({"policies": policies, "calls": questions, **of_the_resource, **caller})
    }


def allowed_of_everything(
    policies: Sequence[Mapping[str, Any]],
    services: Sequence[str],
    resources: Sequence[str],
    context: Mapping[str, str | list[str]] | None = None,
) -> set[str]:
    """Return the allowed calls among all actions of some services, on each of some resources."""
    question = {"policies": policies, "services": services, "resources": resources, "context": context or {}}
    return {
        str(Call(answer["action"], answer["resource"], answer["context"]))
        for answer in _simulate(question)
        if answer["verdict"] == "Allowed"
    }


def _simulate(question: Mapping[str, Any]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [os.environ["JSII_NODE"], "simulate.js"],
        cwd=_FOLDER,
        input=json.dumps({"account": ACCOUNT, **question}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"`make check-deploy` installs the simulator: {done.stderr}"
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers
