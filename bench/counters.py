"""Counters of the user-space instructions of a process, which are repeatable where times are not."""

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
    """A tool that counts the user-space instructions of a process.

    Attributes:
        name: In the output.
        prefix: Returns the words before the command, for the path of the output file.
        parse: Returns the count in the text of that file, None if there is none.
    """

    name: str
    prefix: Callable[[str], list[str]]
    parse: Callable[[str], int | None]


def parse_callgrind(text: str) -> int | None:
    """Return the instructions of all threads in callgrind's log."""
    match = re.search(r"Collected\s*:\s*(\d+)", text)
    return int(match[1]) if match else None


def parse_perf(text: str) -> int | None:
    """Return the instructions in the output of `perf stat -x,`; None if the machine cannot count them."""
    match = re.search(r"^(\d+),[^,]*,instructions:u", text, re.MULTILINE)
    return int(match[1]) if match else None


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
    """Return the first counter that works on this machine, or None."""
    for program, make in (("perf", _perf), ("valgrind", _callgrind)):
        path = shutil.which(program)
        if path is not None:
            counter = make(path)
            with tempfile.TemporaryDirectory() as directory:
                out = Path(directory, "count")
                result = subprocess.run(
                    [*counter.prefix(str(out)), sys.executable, "-c", "pass"], capture_output=True, check=False
                )
                if result.returncode == 0 and out.exists() and counter.parse(out.read_text()):
                    return counter
    return None
