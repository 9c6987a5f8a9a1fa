"""Where `mep` begins. It imports little, so that Ctrl-C ends it without a stack trace almost from its first moment."""

import sys
from typing import NoReturn

_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line."""
    try:
        from mep.process import run_command
    except KeyboardInterrupt:  # the signals are not handled yet
        sys.exit(_INTERRUPTED)
    run_command()


if __name__ == "__main__":
    main()
