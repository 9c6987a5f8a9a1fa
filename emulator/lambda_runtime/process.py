"""A function process from its start to its exit, and its output."""

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
from typing import IO, Literal, Self

from emulator.environment import FunctionConfig
from emulator.lambda_runtime.runtime_api import ApiEvent, RuntimeApi

type Stream = Literal["stdout", "stderr"]
type LineSink = Callable[[Stream, str], None]


class _LinePipe:
    """The reading end of a pipe, split into lines for a sink.

    Two threads read: the background thread when there is output, and the one that waits for a result, which must pass
    everything written before it to the sink first.
    """

    def __init__(self, stream: Stream, fd: int, sink: LineSink) -> None:
        self._stream: Stream = stream
        self._sink = sink
        self._lock = Lock()
        self._rest = b""
        self.fd = fd
        os.set_blocking(fd, False)

    def pump(self) -> bool:
        """Pass all available output to the sink; return whether the pipe is still open."""
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
    """Return the thread that starts every function process.

    Linux sends the parent-death signal when the *thread* that started a child ends, so that thread must live as long
    as this process.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")


@cache
def _parent_death_prefix() -> tuple[str, ...]:
    """Return a command prefix that kills the process when this one dies, also by SIGKILL; empty where none exists.

    Without it, the process ends when it next calls its Runtime API, which died with this process.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


class FunctionProcess:
    """`python -m awslambdaric HANDLER` in a Lambda-like environment, with its own Runtime API.

    `events` has everything that the process does, its exit included (`exited`).

    Args:
        config: The function's configuration.
        sink: Called with each line of output, from the reader's thread or from the caller of `flush_output`, for one
            stream never from both at once.
    """

    def __init__(self, config: FunctionConfig, sink: LineSink) -> None:
        with contextlib.ExitStack() as undo:
            self.api = undo.enter_context(RuntimeApi())
            self.events = self.api.events
            self._process = _spawner().submit(self._start, config).result()
            undo.pop_all()
        streams: list[tuple[Stream, IO[bytes] | None]] = [
            ("stdout", self._process.stdout),
            ("stderr", self._process.stderr),
        ]
        self._pipes = [_LinePipe(name, stream.fileno(), sink) for name, stream in streams if stream is not None]
        self._reader = Thread(target=self._read, name="function-output")
        self._waiter = Thread(target=self._wait, name="function-exit")
        self._reader.start()
        self._waiter.start()

    def _start(self, config: FunctionConfig) -> subprocess.Popen[bytes]:
        environment = config.environment(self.api.address)
        # As Lambda's start script does: a wrapper gets the command as its arguments.
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
            start_new_session=True,  # Ctrl-C must not reach it, and its children are killed with it
        )

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    def exit_description(self) -> str:
        """Return how the process ended, as Lambda words it."""
        code = self._process.wait()
        if code >= 0:
            return f"Runtime exited with error: exit status {code}"
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"

    def flush_output(self) -> None:
        """Pass every line that the process has written so far to the sink."""
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

    def kill(self) -> None:
        """Kill the process and its children without a warning, as Lambda does. Any thread may call this."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and its children, and release their resources."""
        self.kill()
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
