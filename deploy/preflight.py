"""Refuse to deploy what is an example in an environment's file: `python -m deploy.preflight -c environment=prod`.

Synthesis accepts the files as shipped; the CDK command line would fail with them at the first call, in its own words.
"""

import sys
from collections.abc import Sequence

from deploy.reading import find_examples, read_context
from deploy.stack_command import context_of, stack_parser
from deploy.values import ContextError


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the values of a deployment. Return the exit status, 2 for an invalid value or an example."""
    parser = stack_parser("Refuse to deploy an environment whose file has still the values of the example.")
    context = context_of(parser.parse_args(arguments))
    try:
        read_context(context)
        problems = find_examples(context)
    except ContextError as error:
        problems = [str(error)]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
