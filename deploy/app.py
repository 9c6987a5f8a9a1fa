"""The CDK application: `python -m deploy.app`, as `deploy/cdk.json` has it."""

import sys
from collections.abc import Mapping

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from deploy.context import NAME, ContextError, read_context
from deploy.stack.stack import MarkEarningsProcessedStack

# What a new CDK application gets; here, so that tests and the command line make the same template.
_FLAGS: Mapping[str, bool] = {
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/aws-codedeploy:removeAlarmsFromDeploymentGroup": True,
    "@aws-cdk/aws-events:eventsTargetQueueSameAccount": True,
    "@aws-cdk/aws-lambda:useCdkManagedLogGroup": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:enablePartitionLiterals": True,
}


def build(context: Mapping[str, str] | None = None, outdir: str | None = None, *, gates: bool = True) -> cdk.App:
    """Make the application, not yet synthesised.

    Args:
        context: instead of what the command line gives by `-c`.
        outdir: where the cloud assembly goes; None: where the command line says.
        gates: whether a rule of cdk-nag that is broken fails the synthesis.

    Raises:
        ContextError: a context value is wrong.
    """
    app = cdk.App(context={**_FLAGS, **(context or {})}, outdir=outdir, analytics_reporting=False)
    deployment = read_context(app.node.get_all_context())
    MarkEarningsProcessedStack(app, deployment)
    cdk.Tags.of(app).add("service", NAME)
    cdk.Tags.of(app).add("environment", deployment.stage.name)
    if gates:
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return app


def synthesise(context: Mapping[str, str] | None = None, outdir: str | None = None) -> int:
    """Synthesise, and judge what comes out.

    Args:
        context: as in `build`.
        outdir: as in `build`.

    Returns:
        The exit status: 2 for a wrong context value, told in one line; 1 for a broken rule of cdk-nag.
    """
    try:
        app = build(context, outdir)
    except ContextError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
        return 1  # cdk-nag has told what and where
    return 0


if __name__ == "__main__":
    sys.exit(synthesise())
