"""The command `mep env`."""

import json
import shlex
from typing import Annotated

import typer

from mep.errors import UsageError
from mep.output import print_error
from mep.stack.options import complete_environments


def env_command(
    environment: Annotated[
        str,
        typer.Argument(
            metavar="ENVIRONMENT",
            envvar="ENVIRONMENT",
            help="dev, staging or prod.",
            autocompletion=complete_environments,
        ),
    ],
    *,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The prefix of the names. Default: that of the environment's file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the variables of an environment for a shell: `eval "$(mep env prod)"`.

    The values are the outputs of the environment's stack. Only where there is no such stack, and this is stated, they
    follow from the naming rules. Variables that are set have no effect, except those of the region and the
    credentials.

    The exit status is 3 when the stack, or its queue, could not be asked: then nothing is printed, and no variable is
    set.
    """
    import re

    from mep.aws import open_aws
    from mep.stack.resources import StackResources, check_environment, stack_names
    from mep.stack.variables import variables
    from monitoring.names import PREFIX, PREFIX_RULE

    check_environment("the environment", environment)
    if prefix is not None and not re.fullmatch(PREFIX, prefix):
        raise UsageError(f"--prefix {prefix}: must be {PREFIX_RULE}")
    aws = open_aws({})
    aws.check_credentials()
    aws.prefer_emulator(["sqs"])
    resources = StackResources(aws, stack_names(environment, prefix, {}), print_error)
    found = variables(resources, aws.region)
    if as_json:
        source = "outputs" if resources.outputs else "names"
        answer = {"environment": environment, "stack": resources.names.name, "source": source, "variables": found}
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    for name, value in found.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
