"""What `make drift`, `make restore` and `make recover` share: a command about the stack of the given context values."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy.context import Deployment
from deploy.reading import read_context
from deploy.values import ContextError


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
        command(boto3.client("cloudformation", region_name=deployment.region), deployment)
    except ContextError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except StackCommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"CloudFormation could not be asked: {error}\n")
        return 1
    return 0
