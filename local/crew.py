"""Delivers many events with several workers side by side, in bounded memory."""

import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

from local.delivery import AsyncDelivery, Delivery, Invoker
from local.errors import RunError
from local.lines import EventLine
from local.worker import Worker


def start_all(workers: Sequence[Worker]) -> None:
    """Start the function's processes at the same time.

    Raises:
        RunError: One did not start; the text is what the function said.
    """
    with ThreadPoolExecutor(len(workers)) as executor:
        for failure in executor.map(Worker.start, workers):
            if failure is not None:
                raise RunError(f"the function does not start: {failure.error_text()}")


def deliver_all(
    lines: Iterable[EventLine],
    *,
    workers: Sequence[Invoker],
    delivery: AsyncDelivery,
    on_done: Callable[[EventLine, Delivery], None],
) -> None:
    """Deliver every line, each by the worker that is free first, and return when the last one is done.

    Lines are read in the calling thread, only a few ahead of the workers. When it is interrupted (Ctrl-C), what is
    under way is still finished and reported before the interruption goes on.

    Args:
        lines: The events.
        workers: Each is used by one thread at a time.
        delivery: How one event is delivered.
        on_done: Called with each line and what became of it, from the workers' threads. What it raises ends the
            whole delivery.
    """
    idle: queue.SimpleQueue[Invoker] = queue.SimpleQueue()
    for each in workers:
        idle.put(each)
    ahead = BoundedSemaphore(2 * len(workers))
    failures: list[BaseException] = []

    def deliver(line: EventLine) -> None:
        worker = idle.get()
        try:
            on_done(line, delivery.deliver(worker, line.payload))
        except BaseException as failure:  # noqa: BLE001 -- raised again in the calling thread
            failures.append(failure)
        finally:
            idle.put(worker)
            ahead.release()

    executor = ThreadPoolExecutor(len(workers), thread_name_prefix="delivery")
    try:
        for line in lines:
            ahead.acquire()
            if failures:
                break
            executor.submit(deliver, line)
        executor.shutdown(wait=True)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    if failures:
        raise failures[0]
