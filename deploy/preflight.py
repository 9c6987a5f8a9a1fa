"""Refuse to deploy what is an example in an environment's file: `python -m deploy.preflight -c environment=prod`.

Synthesis accepts the files as shipped; the CDK command line would fail with them at the first call, in its own words.
So would it without credentials, after half a minute of synthesis.
"""

import sys
from collections.abc import Sequence

import boto3
from botocore.exceptions import BotoCoreError

from deploy.reading import find_examples, read_context
from deploy.stack_command import NO_CREDENTIALS, context_of, stack_parser
from deploy.values import ContextError


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the values of a deployment, then that there are credentials.

    Returns:
        The exit status: 2 for an invalid value or an example, 1 without credentials.
    """
    parser = stack_parser("Refuse to deploy an environment whose file has still the values of the example.")
    context = context_of(parser.parse_args(arguments))
    try:
        read_context(context)
        problems = find_examples(context)
    except ContextError as error:
        problems = [str(error)]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if problems:
        return 2
    if not _has_credentials():
        sys.stderr.write(f"{NO_CREDENTIALS}\n")
        return 1
    return 0


def _has_credentials() -> bool:
    try:
        return boto3.Session().get_credentials() is not None
    except BotoCoreError:  # of a source that boto3 cannot use here: the CDK command line has its own
        return True


if __name__ == "__main__":
    sys.exit(main())
