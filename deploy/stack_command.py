"""What `make drift`, `make restore` and `make recover` share: a command about the stack of the given context values."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from deploy.context import Deployment
from deploy.reading import read_context
from deploy.values import ContextError

NO_CREDENTIALS = (
    "there are no AWS credentials: set AWS_PROFILE to a profile of ~/.aws/config, or AWS_ACCESS_KEY_ID and"
    " AWS_SECRET_ACCESS_KEY"
)


class StackCommandError(Exception):
    """The command cannot do what it was asked for. The text says why, and what to do."""


def stack_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the option for context values: `-c KEY=VALUE`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    return parser


def context_of(given: argparse.Namespace) -> dict[str, str]:
    """Return the context values of the arguments of a parser of `stack_parser`."""
    return dict(pair.partition("=")[::2] for pair in given.context)


def run_stack_command(given: argparse.Namespace, command: Callable[[Any, Deployment], None]) -> int:
    """Run a command, report its error in one line, and return the exit status.

    Args:
        given: The arguments, of a parser of `stack_parser`.
        command: Is given a client of CloudFormation and the deployment.
    """
    try:
        deployment = read_context(context_of(given))
        # Unlike the CDK command line, boto3 does not read AWS_REGION.
        region = deployment.region or os.environ.get("AWS_REGION") or None
        command(boto3.client("cloudformation", region_name=region), deployment)
    except ContextError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except StackCommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except NoRegionError:
        sys.stderr.write("CloudFormation could not be asked: there is no region: set AWS_REGION\n")
        return 1
    except NoCredentialsError:
        sys.stderr.write(f"CloudFormation could not be asked: {NO_CREDENTIALS}\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"CloudFormation could not be asked: {_describe(error)}\n")
        return 1
    return 0


def _describe(error: BotoCoreError | ClientError) -> str:
    """Return an error in one line. Of a refused signature AWS's message quotes the headers, the session token too."""
    text = str(error)
    if isinstance(error, ClientError) and "Signature" in error.response["Error"]["Code"]:
        code = error.response["Error"]["Code"]
        text = f"{code} at {error.operation_name}: check the secret key, and this machine's clock"
    return " ".join(text.split())
