"""Ways to count the user-space instructions of a process: they repeat where times do not."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Counter:
    """A way to count a process's user-space instructions.

    Attributes:
        name: What to call it in the output.
        prefix: Given the path of the file to write, the words to put before the command.
        parse: The count in that file's text, `None` where there is none.
    """

    name: str
    prefix: Callable[[str], list[str]]
    parse: Callable[[str], int | None]


def parse_callgrind(text: str) -> int | None:
    """The instructions in callgrind's log, of all threads together."""
    found = re.search(r"Collected\s*:\s*(\d+)", text)
    return int(found[1]) if found else None


def parse_perf(text: str) -> int | None:
    """The instructions in the output of `perf stat -x,`; `None` where the machine cannot count them."""
    found = re.search(r"^(\d+),[^,]*,instructions:u", text, re.MULTILINE)
    return int(found[1]) if found else None


def _perf(perf: str) -> Counter:
    return Counter(
        "perf stat -e instructions:u",
        lambda out: [perf, "stat", "-x,", "-e", "instructions:u", "-o", out, "--"],
        parse_perf,
    )


def _callgrind(valgrind: str) -> Counter:
    return Counter(
        "valgrind --tool=callgrind",
        lambda out: [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={out}"],
        parse_callgrind,
    )


def find_counter() -> Counter | None:
    """The first way of counting that works on this machine, or `None`."""
    for program, make in (("perf", _perf), ("valgrind", _callgrind)):
        path = shutil.which(program)
        if path is not None:
            counter = make(path)
            with tempfile.TemporaryDirectory() as directory:
                out = Path(directory, "count")
                tried = subprocess.run(
                    [*counter.prefix(str(out)), sys.executable, "-c", "pass"], capture_output=True, check=False
                )
                if tried.returncode == 0 and out.exists() and counter.parse(out.read_text()):
                    return counter
    return None
