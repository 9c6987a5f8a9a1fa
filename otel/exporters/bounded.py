"""Runs tasks that may hang in a separate thread, with a timeout."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

_GRACE = 0.1
"""Share of the timeout that is reserved for an aborted task to end."""


class Bounded:
    """One thread that runs one task at a time.

    A task that exceeds its timeout occupies the thread. Until it has ended, other tasks are rejected at once: a task
    that hangs costs one thread and one timeout, however many events follow.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._free = Lock()
        self._thread: Thread | None = None

    def run[T](self, task: Callable[[], T], seconds: float, abort: Callable[[], None] | None = None) -> T:
        """Run a task; return its result, or raise its exception.

        Args:
            task: May hang.
            seconds: Timeout.
            abort: Ends the task; called shortly before the timeout.

        Raises:
            TimeoutError: The task has not ended in time, or the previous task has not ended yet.
        """
        if not self._free.acquire(blocking=False):
            raise TimeoutError("the previous task has not ended")
        results: list[T] = []
        errors: list[BaseException] = []
        ended = Lock()
        ended.acquire()

        def work() -> None:
            try:
                results.append(task())
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                errors.append(error)
            self._free.release()
            ended.release()

        self._start()
        self._tasks.put(work)
        in_time = ended.acquire(timeout=max(0.0, seconds * (1 - _GRACE) if abort else seconds))
        if not in_time and abort is not None:
            abort()
            in_time = ended.acquire(timeout=max(0.0, seconds * _GRACE))
        if not in_time:
            raise TimeoutError("the task has not ended in time")
        if errors:
            raise errors.pop()
        return results.pop()

    def close(self) -> None:
        """End the thread after its task; the next task starts another."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread = None

    def _start(self) -> None:
        if self._thread is not None:
            return
        thread = Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            self._free.release()
            raise
        self._thread = thread

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
