"""Lists what a start leaves behind in libraries.

python -m tests.unit.handler.coldstart.left_behind > tests/unit/handler/coldstart/left_behind.txt
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

SETTINGS = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "an-emulator's",
    "AWS_SECRET_ACCESS_KEY": "an-emulator's",
    "DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:9/queue",
}


def left_behind() -> list[str]:
    """Return a line for each deferred name and stub that a library still holds, in this process."""
    from handler.coldstart.stubs import Deferred, Inspect, StubModule, TypingExtensions

    lines = set()
    held = set()
    for owner, name, value in _names():
        if type(value) is Deferred:
            held.add(id(value))
            lines.add(f"deferred {owner}.{name} = {value!r}")
        elif isinstance(value, StubModule | Inspect | TypingExtensions):
            lines.add(f"stub     {owner}.{name} = {value.__name__}")
    gc.unfreeze()  # handler.app has frozen them, and the collector does not list frozen objects
    elsewhere = [thing for thing in gc.get_objects() if type(thing) is Deferred and id(thing) not in held]
    lines |= {f"deferred (in a default value, a table or an instance) {thing!r}" for thing in elsewhere}
    return sorted(lines)


def _names() -> Iterator[tuple[str, str, Any]]:
    for module in list(sys.modules.values()):
        if module.__name__.startswith(("handler.", "tests.")):
            continue
        yield from ((module.__name__, name, value) for name, value in list(vars(module).items()))
        for kind in [value for value in vars(module).values() if isinstance(value, type)]:
            if kind.__module__ == module.__name__:
                yield from ((f"{module.__name__}.{kind.__name__}", *entry) for entry in list(vars(kind).items()))


if __name__ == "__main__":
    os.environ.update(SETTINGS)
    importlib.import_module("handler.app")
    sys.stdout.write("".join(f"{line}\n" for line in left_behind()))
