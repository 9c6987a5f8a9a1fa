"""`mep`, or another program, in processes that start at once: forked from one that has imported everything already."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from emulator.environment import PROJECT_ROOT

# Forked before any thread is there, so that no lock is held in a child.
_SERVER = """
import gc, json, os, sys
import botocore.session, pydantic, typer._adapters
from {module} import main
from tests.support.botocore_data import share_botocore_data
from mep.dlq import discard, json_output, redrive, render, selection, sentences, session
def redirect(number, target, encoding):
    if target == "&-":
        os.close(number)
        return None
    if target == "|":  # a pipe whose reader has gone
        reading, opened = os.pipe()
        os.close(reading)
    else:
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(opened, number)
    return open(number, "w", encoding=encoding, closefd=False)

# Once, and not by each process.
share_botocore_data()
for service in ("sqs", "events", "dynamodb", "cloudwatch", "lambda"):
    botocore.session.Session().create_client(service, region_name="us-east-1")
pydantic.TypeAdapter(int)  # which Typer imports as late as it can
gc.freeze()
for line in sys.stdin:
    arguments, environ, out, error, encoding = json.loads(line)
    if not (pid := os.fork()):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # it must not read the next command
        sys.stdin = open(0)
        sys.stdout = sys.__stdout__ = redirect(1, out, encoding)
        if error:
            sys.stderr = sys.__stderr__ = redirect(2, error, encoding)
        os.environ.update(environ)
        sys.argv = ["mep", *arguments]
        main()
        sys.exit()
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Forks:
    """Starts processes, one at a time.

    Attributes:
        started: Set while `pid` is that of a process that runs.
        pid: Its process ID.
    """

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server
        self.started = Event()
        self.pid = 0

    def run(
        self,
        arguments: tuple[str, ...],
        environ: Mapping[str, str],
        *,
        out: str = os.devnull,
        error: str = "",
        encoding: str = "utf-8",
    ) -> int:
        """Run `mep` with these arguments and variables to its end.

        Args:
            arguments: The arguments.
            environ: Variables in addition to those of this process.
            out: The file for standard output; `|` for a pipe whose reader has gone, `&-` for a closed one.
            error: The same for standard error; empty for that of this process.
            encoding: The encoding of both.

        Returns:
            Its exit status, negative when it was killed.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self.started.clear()
        self._server.stdin.write(json.dumps([arguments, dict(environ), out, error, encoding]) + "\n")
        self._server.stdin.flush()
        self.pid = int(self._server.stdout.readline())
        self.started.set()
        return int(self._server.stdout.readline())


@contextmanager
def forks(module: str = "mep.__main__") -> Iterator[Forks]:
    """Import everything once.

    Args:
        module: The module whose `main` is the program.
    """
    code = _SERVER.replace("{module}", module)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield Forks(server)
        assert server.stdin is not None
        server.stdin.close()
