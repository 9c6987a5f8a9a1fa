"""What somebody has changed of a stack beside CloudFormation: `make drift`, and `make restore`, which puts it back.

A deployment compares templates: where the template is unchanged, it restores nothing. A change may be intended: a
disabled rule is a pause, and an alias at another version a rollback. `make restore` names them and leaves them alone,
unless `--yes` is given. CloudFormation compares only what the template sets: it does not see a concurrency of 0.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.context import Deployment
from deploy.stack_command import StackCommandError, run_stack_command, stack_parser

WAIT_SECONDS = 300
"""Limit on the detection, which takes a minute or two."""
_POLL_SECONDS = 5

_MEANINGS: Mapping[tuple[str, str], str] = {
    ("AWS::Events::Rule", "/State"): "a pause: the rule delivers no events",
    ("AWS::Lambda::Alias", "/FunctionVersion"): "a rollback: the alias has another version",
}
"""Resource type and property to what an intended change of it is."""


class DriftError(StackCommandError):
    """The drift cannot be detected, or must not be undone. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between a stack and its template.

    Attributes:
        resource: The logical ID.
        path: The property; empty if the resource was deleted.
        expected: What the template says.
        actual: What AWS has.
        meaning: What an intended change of this property is; empty if it has no name.
    """

    resource: str
    path: str
    expected: str
    actual: str
    meaning: str

    def __str__(self) -> str:
        """Return a line for people."""
        if not self.path:
            return f"{self.resource} was deleted"
        meaning = f" ({self.meaning})" if self.meaning else ""
        return f"{self.resource} {self.path}: {self.actual} instead of {self.expected}{meaning}"


def detect(cloudformation: Any, stack: str, sleep: Callable[[float], object] = time.sleep) -> list[Drift]:
    """Return the drift of a stack, as it is now.

    Args:
        cloudformation: A client.
        stack: The name of the stack.
        sleep: Waits a number of seconds.

    Raises:
        DriftError: CloudFormation could not detect it in time.
        ClientError: AWS refused a call.
    """
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    for _ in range(WAIT_SECONDS // _POLL_SECONDS):
        found = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        status = found["DetectionStatus"]
        if status == "DETECTION_FAILED":
            raise DriftError(f"the drift of {stack} could not be detected: {found['DetectionStatusReason']}")
        if status == "DETECTION_COMPLETE":
            return list(_drifts(cloudformation, stack))
        sleep(_POLL_SECONDS)
    raise DriftError(f"the drift of {stack} was not detected within {WAIT_SECONDS} s: try again")


def _drifts(cloudformation: Any, stack: str) -> Iterable[Drift]:
    request = {"StackName": stack, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    while True:
        page = cloudformation.describe_stack_resource_drifts(**request)
        for each in page["StackResourceDrifts"]:
            resource, kind = each["LogicalResourceId"], each["ResourceType"]
            if each["StackResourceDriftStatus"] == "DELETED":
                yield Drift(resource, "", "", "", "")
            for property_ in each.get("PropertyDifferences", ()):
                path = property_["PropertyPath"]
                named = (meaning for (type_, name), meaning in _MEANINGS.items() if type_ == kind and name in path)
                yield Drift(resource, path, property_["ExpectedValue"], property_["ActualValue"], next(named, ""))
        if "NextToken" not in page:
            return
        request["NextToken"] = page["NextToken"]


def check_restorable(drifts: Iterable[Drift], *, confirmed: bool) -> None:
    """Refuse to undo what may be intended.

    Raises:
        DriftError: It names it.
    """
    intended = [drift for drift in drifts if drift.meaning]
    if intended and not confirmed:
        named = "; ".join(map(str, intended))
        raise DriftError(f"nothing is restored, because this may be intended: {named}. ARGS=--yes of make undoes it")


def main(arguments: list[str]) -> int:
    """Show the drift of the stack of these context values (`-c KEY=VALUE`). Return the exit status."""
    parser = stack_parser("Show what was changed of a stack beside CloudFormation.")
    parser.add_argument("--restore", action="store_true", help="fail if the drift must not be undone")
    parser.add_argument("--yes", action="store_true", help="undo pauses and rollbacks, too")
    given = parser.parse_args(arguments)

    def show(cloudformation: Any, deployment: Deployment) -> None:
        drifts = detect(cloudformation, deployment.name)
        lines = [str(drift) for drift in drifts] or [f"{deployment.name} is as its template says"]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        if given.restore:
            check_restorable(drifts, confirmed=given.yes)

    return run_stack_command(given, show)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
