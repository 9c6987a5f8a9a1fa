"""Write the template for use without CDK: `python -m deploy.template FILE -c environment=prod`.

CloudFormation takes it as it is, by itself or as a nested stack, and CDK includes it in a stack of another language:
it has no assets, expects no bootstrapped account, and names neither account nor region.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.app import build
from deploy.stack_command import context_of, stack_parser
from deploy.values import ContextError


def portable_template(context: Mapping[str, str]) -> dict[str, Any]:
    """Return the template of a deployment.

    Raises:
        ContextError: A context value is invalid.
    """
    with tempfile.TemporaryDirectory() as folder:
        (stack,) = build(context, folder, gates=False, portable=True).synth().stacks
        template: dict[str, Any] = stack.template
        return template


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the template. Return the exit status, 2 for an invalid value."""
    parser = stack_parser("Write the template for use without CDK.")
    parser.add_argument("file", type=Path)
    given = parser.parse_args(arguments)
    try:
        template = portable_template(context_of(given))
    except ContextError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    given.file.parent.mkdir(parents=True, exist_ok=True)
    given.file.write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"written to {given.file}; docs/include.md says what it expects\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
