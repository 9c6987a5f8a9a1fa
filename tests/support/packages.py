"""The sources of what runs in the function's process: the packages of the image, the runtime client, and our own."""

import ast
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from emulator.environment import PROJECT_ROOT

_LISTS = ("requirements.txt", "requirements-layer.txt")
_RUNTIME_CLIENT = "awslambdaric"


@cache
def libraries() -> Mapping[str, ast.Module]:
    """The libraries' modules by path, as `botocore/session.py`."""
    text = "".join((PROJECT_ROOT / "deploy" / "image" / name).read_text() for name in _LISTS)
    names = {match[1] for match in re.finditer(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)} | {_RUNTIME_CLIENT}
    found = {}
    for name in sorted(names):
        for file in distribution(name).files or ():
            if file.suffix == ".py" and ".." not in file.parts:
                found[str(file)] = ast.parse(Path(str(file.locate())).read_text(encoding="utf-8"))
    return found


@cache
def own() -> Mapping[str, ast.Module]:
    """The function's own modules by path."""
    files = [
        path for folder in ("handler", "otel", "deploy/image/layer") for path in (PROJECT_ROOT / folder).rglob("*")
    ]
    return {
        str(path.relative_to(PROJECT_ROOT)): ast.parse(path.read_text(encoding="utf-8"))
        for path in files
        if path.suffix == ".py"
    }
