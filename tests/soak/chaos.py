"""Workers whose process is killed now and then, in the middle of an invocation."""

import contextlib
import os
import signal
from random import Random
from threading import Timer

from emulator.lambda_runtime.worker import InvocationResult, Worker


class RandomKillInvoker:
    """An invoker: a worker, and somebody who kills its process by SIGKILL at a moment of his own.

    Attributes:
        kills: How often that was done.

    Args:
        worker: Runs the invocations.
        probability: Of a kill, for each invocation.
        within_s: A kill comes so many seconds after the invocation's begin at the latest.
        seed: Decides which and when.
    """

    def __init__(self, worker: Worker, probability: float, within_s: float, seed: str) -> None:
        self._worker = worker
        self._probability = probability
        self._within_s = within_s
        self._random = Random(f"kills {seed}")
        self.kills = 0

    def invoke(
        self, payload: bytes, *, trace_header: str, request_id: str | None = None, timeout_s: float = 30
    ) -> InvocationResult:
        """See `emulator.lambda_runtime.worker.Worker.invoke`."""
        killer: Timer | None = None
        if self._random.random() < self._probability:
            killer = Timer(self._random.random() * self._within_s, self._kill)
            killer.start()
        try:
            return self._worker.invoke(payload, trace_header=trace_header, request_id=request_id, timeout_s=timeout_s)
        finally:
            if killer is not None:
                # The kill may come after the answer: then the next event finds no warm process.
                killer.join()

    def _kill(self) -> None:
        pid = self._worker.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
