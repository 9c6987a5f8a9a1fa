"""An independent judge of IAM policies."""

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
    """A call to AWS, in IAM's words.

    Attributes:
        action: such as `sqs:SendMessage`.
        resource: an ARN; `*` where the action knows none.
        context: condition keys.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        through = "".join(f" through {value}" for value in self.context.values())
        return f"{self.action} on {self.resource}{through}"


def verdicts(policies: Sequence[Mapping[str, Any]], calls: Iterable[Call]) -> dict[str, str]:
    """By call: `Allowed`, `ImplicitlyDenied`, or `Invalid` where AWS knows no such call."""
    asked = [{"action": call.action, "resource": call.resource, "context": dict(call.context)} for call in calls]
    return {
        str(Call(answer["action"], answer["resource"], answer["context"])): answer["verdict"]
        for answer in _simulate({"policies": policies, "calls": asked})
    }


def allowed_of_everything(
    policies: Sequence[Mapping[str, Any]],
    services: Sequence[str],
    resources: Sequence[str],
    context: Mapping[str, str] | None = None,
) -> set[str]:
    """What is allowed of every action that some services have, on each of some resources."""
    asked = {"policies": policies, "services": services, "resources": resources, "context": context or {}}
    return {
        str(Call(answer["action"], answer["resource"], answer["context"]))
        for answer in _simulate(asked)
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
