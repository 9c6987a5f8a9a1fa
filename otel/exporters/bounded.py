"""Runs what may hang in a thread of its own, and waits for it no longer than there is time."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

_GRACE = 0.1
"""Share of the time that is kept for an aborted task to end."""


class Bounded:
    """One thread, one task at a time.

    A task that outlasts its caller keeps the thread. Until it has ended, other tasks are refused at once: whatever
    hangs costs one thread and one wait, however many events come.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._free = Lock()
        self._thread: Thread | None = None

    def run[T](self, task: Callable[[], T], seconds: float, abort: Callable[[], None] | None = None) -> T:
        """Run a task and wait for its end.

        Args:
            task: what may hang.
            seconds: to wait at most.
            abort: makes the task end, called shortly before the time is over.

        Returns:
            What the task returns.

        Raises:
            TimeoutError: the task has not ended in time, or the one before it has not ended yet.
            Exception: what the task raises.
        """
        if not self._free.acquire(blocking=False):
            raise TimeoutError("the task before has not ended")
        results: list[T] = []
        errors: list[BaseException] = []
        ended = Lock()
        ended.acquire()

        def work() -> None:
            try:
                results.append(task())
            except BaseException as error:  # noqa: BLE001 - it is the caller's
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
        """End the thread when it has no task any more; the next task starts another."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread = None

    def _start(self) -> None:
        if self._thread is not None:
            return
        thread = Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no thread
            self._free.release()
            raise
        self._thread = thread

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
