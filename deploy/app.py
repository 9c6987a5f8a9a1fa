"""The CDK application, which `deploy/cdk.json` runs as `python -m deploy.app`."""

import sys
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from deploy.context import NAME
from deploy.reading import read_context
from deploy.stack.stack import MarkEarningsProcessedStack
from deploy.values import ContextError

# The feature flags of a new CDK application; here, so that tests and the command line make the same template.
_FLAGS: Mapping[str, bool] = {
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-codedeploy:removeAlarmsFromDeploymentGroup": True,
    "@aws-cdk/aws-events:eventsTargetQueueSameAccount": True,
    "@aws-cdk/aws-lambda:useCdkManagedLogGroup": True,
    "@aws-cdk/core:checkSecretUsage": True,
}


def build(
    context: Mapping[str, Any] | None = None, outdir: str | None = None, *, gates: bool = True, portable: bool = False
) -> cdk.App:
    """Return the application, before synthesis.

    Args:
        context: Added to the context values of the command line (`-c`).
        outdir: The folder of the cloud assembly; None for the one of the command line.
        gates: Whether a cdk-nag finding fails the synthesis.
        portable: Whether the template is used without CDK or in another stack.

    Raises:
        ContextError: A context value is invalid.
    """
    app = cdk.App(context={**_FLAGS, **(context or {})}, outdir=outdir, analytics_reporting=False)
    deployment = read_context(app.node.get_all_context())
    MarkEarningsProcessedStack(app, deployment.as_portable() if portable else deployment)
    cdk.Tags.of(app).add("service", NAME)
    cdk.Tags.of(app).add("environment", deployment.environment.name)
    for key, value in deployment.tags.items():
        cdk.Tags.of(app).add(key, value)
    if gates:
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return app


def synthesise(context: Mapping[str, str] | None = None, outdir: str | None = None, *, portable: bool = False) -> int:
    """Synthesise the application and check it with cdk-nag.

    Args:
        context: As in `build`.
        outdir: As in `build`.
        portable: As in `build`.

    Returns:
        The exit status: 2 for an invalid context value, 1 for a cdk-nag finding.
    """
    try:
        app = build(context, outdir, portable=portable)
    except ContextError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
        return 1  # cdk-nag has printed its findings
    return 0


if __name__ == "__main__":
    sys.exit(synthesise())
