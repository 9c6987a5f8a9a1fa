"""The command with which the program was started, for the commands that it prints."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_NAME = "mep"


def program(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Return the words that start the program again from the same shell, quoted.

    Args:
        argv: The arguments of the process; those of this one by default.
        environ: The environment; that of this process by default.
    """
    first = Path((sys.argv if argv is None else argv)[0])
    environ = os.environ if environ is None else environ
    if "UV_RUN_RECURSION_DEPTH" in environ:
        return f"uv run {_NAME}"
    if first.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m {_NAME}"
    found = shutil.which(_NAME, path=environ.get("PATH"))
    if first.name == _NAME and first.parent != Path() and (found is None or not _is_same(Path(found), first)):
        return shlex.quote(str(first))
    return _NAME


def _is_same(found: Path, first: Path) -> bool:
    try:
        return found.samefile(first)
    except OSError:
        return False
