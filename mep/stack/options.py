"""The options that name an environment."""

from typing import Annotated

import typer


def complete_environments(incomplete: str) -> list[str]:
    """Return the environments that begin with a text."""
    from monitoring.names import ENVIRONMENTS

    return [name for name in ENVIRONMENTS if name.startswith(incomplete)]


Environment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        metavar="NAME",
        envvar="ENVIRONMENT",
        help="dev, staging or prod: the names of the resources follow from it.",
        autocompletion=complete_environments,
    ),
]
