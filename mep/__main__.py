"""Where `mep` begins: check that the packages of the command line are installed, then run it."""

import sys

from mep import DISTRIBUTION
from mep.errors import ExitStatus

_OWN = frozenset({"emulator", "handler", "mep", "monitoring", "otel"})


def main() -> None:
    """Run the command line; without the extra `operator`, print what to install and exit."""
    try:
        from mep.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OWN:
            raise
        line = f"mep: {error.name} is not installed: install the extra `operator`, as {DISTRIBUTION}[operator]"
        print(line, file=sys.stderr)  # noqa: T201 - typer, which prints elsewhere, may be the package that is missing
        sys.exit(ExitStatus.WRONG_USAGE)
    run()


if __name__ == "__main__":
    main()
