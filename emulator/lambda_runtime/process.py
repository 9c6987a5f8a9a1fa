"""One incarnation of the function's process: from its start to its death, with its output read on the way."""

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock, Thread
from typing import Literal, Self

from emulator.environment import FunctionConfig
from emulator.lambda_runtime.runtime_api import ApiEvent, RuntimeApi

type Stream = Literal["stdout", "stderr"]
type LineSink = Callable[[Stream, str], None]


class _LinePipe:
    """The reading end of a pipe, cut into lines for a sink.

    Whoever holds the lock may read: the background thread when there is something, and `pump` when a
    result has come and everything written before it must be handed on first.
    """

    def __init__(self, stream: Stream, fd: int, sink: LineSink) -> None:
        self._stream: Stream = stream
        self._sink = sink
        self._lock = Lock()
        self._rest = b""
        self.fd = fd
        os.set_blocking(fd, False)

    def pump(self) -> bool:
        """Hand on all that can be read now; return whether the pipe is still open."""
        with self._lock:
            while True:
                try:
                    chunk = os.read(self.fd, 65536)
                except BlockingIOError:
                    return True
                if not chunk:
                    self._emit_rest()
                    return False
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._sink(self._stream, line.decode(errors="replace"))

    def _emit_rest(self) -> None:
        if self._rest:
            self._sink(self._stream, self._rest.decode(errors="replace"))
            self._rest = b""


@cache
def _spawner() -> ThreadPoolExecutor:
    """The thread that starts every function process.

    Linux's parent-death signal fires when the *thread* that started a child ends, so the starting thread
    has to live as long as this process does.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


@cache
def _parent_death_prefix() -> tuple[str, ...]:
    """A command prefix that ends the process when this one dies, even by SIGKILL; empty where there is none.

    Without it a process still ends at its next contact with its Runtime API, which died with us.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


class FunctionProcess:
    """`python -m awslambdaric HANDLER` in a Lambda-like environment, with its own Runtime API.

    Everything that happens to it comes out of `events`, its death included (`exited`).

    Args:
        config: How the function is configured.
        sink: Called with every line of its output, from the reader's thread or from `flush_output`'s
            caller, never from two threads for one stream at once.
    """

    def __init__(self, config: FunctionConfig, sink: LineSink) -> None:
        with contextlib.ExitStack() as undo:
            self.api = undo.enter_context(RuntimeApi())
            self.events = self.api.events
            self._process = _spawner().submit(self._start, config).result()
            undo.pop_all()
        assert self._process.stdout is not None  # noqa: S101 - for mypy: both are pipes
        assert self._process.stderr is not None  # noqa: S101
        self._pipes = [
            _LinePipe("stdout", self._process.stdout.fileno(), sink),
            _LinePipe("stderr", self._process.stderr.fileno(), sink),
        ]
        self._reader = Thread(target=self._read, name="function-output")
        self._waiter = Thread(target=self._wait, name="function-exit")
        self._reader.start()
        self._waiter.start()

    def _start(self, config: FunctionConfig) -> subprocess.Popen[bytes]:
        environment = config.environment(self.api.address)
        # As Lambda's own start script: a wrapper is given the command that it is to end with.
        wrapper = environment.get("AWS_LAMBDA_EXEC_WRAPPER")
        return subprocess.Popen(
            [
                *_parent_death_prefix(),
                *([wrapper] if wrapper else ()),
                sys.executable,
                "-m",
                "awslambdaric",
                config.handler,
            ],
            env=environment,
            cwd=config.task_root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; and what the function forked ends with it
        )

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    def exit_description(self) -> str:
        """Say how the process ended, in Lambda's words."""
        code = self._process.wait()
        if code >= 0:
            return f"Runtime exited with error: exit status {code}"
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"

    def flush_output(self) -> None:
        """Hand every line that the process has written so far to the sink."""
        for pipe in self._pipes:
            pipe.pump()

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for pipe in self._pipes:
                selector.register(pipe.fd, selectors.EVENT_READ, pipe)
            while selector.get_map():
                for key, _ in selector.select():
                    if not key.data.pump():
                        selector.unregister(key.fd)

    def _wait(self) -> None:
        self._process.wait()
        self.events.put(ApiEvent("exited"))

    def close(self) -> None:
        """End the process as Lambda does (no warning, the whole group), and release what it used."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._waiter.join()
        self._reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self.api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
