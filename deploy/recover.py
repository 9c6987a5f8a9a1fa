"""Prepare the repetition of a first deployment that failed: `make recover ENVIRONMENT=prod`.

The CDK command line turns termination protection on before it creates the stack, deletes a stack whose creation failed,
and cannot delete it while it is protected. This takes the protection off such a stack, and off no other. `make recover`
then deploys with `--import-existing-resources`: the tables, which nothing deletes, become part of the new stack.
"""

import sys
from typing import Any

from botocore.exceptions import ClientError

from deploy.context import Deployment
from deploy.stack_command import StackCommandError, run_stack_command, stack_parser

CREATION_FAILED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
"""States of a stack that has never been created; the CDK command line deletes it."""


class RecoveryError(StackCommandError):
    """The stack cannot be prepared. The text says why, and what to do."""


def prepare(cloudformation: Any, stack: str, account: str | None = None) -> str:
    """Take the termination protection off a stack whose creation has failed.

    Args:
        cloudformation: A client.
        stack: The name of the stack.
        account: The account that it must be in; None for any.

    Returns:
        What was done, in a sentence.

    Raises:
        RecoveryError: The stack has been created, so that it needs no recovery; or it is in another account.
        ClientError: AWS refused a call.
    """
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" not in error.response["Error"]["Message"]:
            raise
        return f"There is no stack {stack}. Tables that exist under its names become part of the new one."
    status, stack_account = found["StackStatus"], found["StackId"].split(":")[4]
    if account not in {None, stack_account}:
        raise RecoveryError(f"the credentials are for account {stack_account}, not for {account}: use others")
    if status not in CREATION_FAILED:
        raise RecoveryError(
            f"stack {stack} is in {status}: only a stack whose creation failed ({' or '.join(CREATION_FAILED)}) is"
            " deleted and created again. Use make deploy"
        )
    if not found.get("EnableTerminationProtection"):
        return f"Stack {stack} ({status}) is not protected: it is deleted and created again."
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    return f"Termination protection of {stack} ({status}) is off: the stack is deleted and created again."


def main(arguments: list[str]) -> int:
    """Prepare the stack of these context values (`-c KEY=VALUE`). Return the exit status."""
    parser = stack_parser("Prepare the repetition of a first deployment that failed.")

    def recover(cloudformation: Any, deployment: Deployment) -> None:
        sys.stdout.write(f"{prepare(cloudformation, deployment.name, deployment.account)}\n")

    return run_stack_command(parser.parse_args(arguments), recover)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
