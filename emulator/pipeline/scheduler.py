"""Schedulers for the event pipeline: simulated time, or real time with scaled waits."""

import heapq
import queue
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Semaphore, Thread
from typing import Protocol

type Action = Callable[[], None]

GRACE_S = 2.0
"""Seconds in which works that are in progress may end after Ctrl-C."""

SIMULATION_START = 1_753_992_000.0  # 2025-07-31T20:00:00Z


class Scheduler(Protocol):
    """Runs actions at their time, one after another: what they share needs no lock.

    Attributes:
        scale: The real seconds of a wait of one second.
    """

    scale: float

    def now(self) -> float:
        """Unix time in seconds."""

    def call_later(self, delay_s: float, action: Action) -> None:
        """Run `action` after a scaled wait."""

    def perform[T](self, work: Callable[[], T], on_done: Callable[[T], None], duration_s: Callable[[T], float]) -> None:
        """Do `work`, which may block, and then run `on_done` with its result.

        Args:
            work: Called once; may run in another thread.
            on_done: Runs as an action.
            duration_s: Returns the seconds that the work takes in simulated time, from its result.
        """

    def post(self, action: Action) -> None:
        """Run `action` as soon as possible. Any thread may call this."""

    def run(self, source: Iterable[Action] = (), capacity: Callable[[], int] = lambda: 1) -> None:
        """Run the input's actions and all that follows from them, until nothing is left to do.

        Args:
            source: The input: each item is an action that accepts one event.
            capacity: Returns how many of them may run now.

        Raises:
            BaseException: What an action, a work or the source raised. Where the source raised it, all accepted events
                finish first; for Ctrl-C and `SystemExit`, only the works in progress.
        """


class SimulatedScheduler:
    """Simulated time, which passes as fast as the actions run. The same calls give the same history.

    Args:
        start: Unix time in seconds.
    """

    scale = 1.0

    def __init__(self, start: float = SIMULATION_START) -> None:
        self._now = start
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = count()

    def now(self) -> float:
        """Unix time in seconds."""
        return self._now

    def call_later(self, delay_s: float, action: Action) -> None:
        """Run `action` after a wait."""
        heapq.heappush(self._due, (self._now + delay_s, next(self._numbers), action))

    def perform[T](self, work: Callable[[], T], on_done: Callable[[T], None], duration_s: Callable[[T], float]) -> None:
        """Do `work` now and run `on_done` after the simulated duration; see `Scheduler.perform`."""
        result = work()
        self.call_later(duration_s(result), lambda: on_done(result))

    def post(self, action: Action) -> None:
        """Run `action` next, without a wait."""
        self.call_later(0, action)

    def run(
        self,
        source: Iterable[Action] = (),
        capacity: Callable[[], int] = lambda: 1,
        *,
        until: float = float("inf"),
    ) -> None:
        """Run every action in the order of its time; see `Scheduler.run`.

        Args:
            source: As for `Scheduler.run`.
            capacity: As for `Scheduler.run`.
            until: Unix time in seconds; actions that are due later remain for the next call.
        """
        inputs = iter(source)
        failure: BaseException | None = None
        exhausted = False
        while True:
            while not exhausted and capacity() > 0:
                try:
                    accept = next(inputs, None)
                except BaseException as raised:  # noqa: BLE001 - raised again when all accepted events have finished
                    failure, accept = raised, None
                exhausted = accept is None
                if accept is not None:
                    accept()
            if not self._due or self._due[0][0] > until:
                break
            self._now, _, action = heapq.heappop(self._due)
            action()
        if until != float("inf"):
            self._now = max(self._now, until)
        if failure is not None:
            raise failure


class RealTimeScheduler:
    """Real time, with threads for works that block and waits that may be shorter than on AWS.

    The actions run in a thread of their own. The calling thread only reads the input, so that a slow input delays
    nothing, and an interrupt never stops an action half-way.

    Args:
        threads: The number of works that run at once; others wait for a thread.
        scale: The real seconds of a wait of one second; 1 for AWS's own pace.
        abandon: Ends the works in progress, from another thread; called where they have not ended `GRACE_S` seconds
            after Ctrl-C. Without it they are waited for.
    """

    def __init__(self, threads: int, *, scale: float = 1.0, abandon: Action | None = None) -> None:
        self.scale = scale
        self._abandon = abandon
        self._threads = threads
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = count()
        self._inbox: queue.SimpleQueue[Action] = queue.SimpleQueue()
        self._executor: ThreadPoolExecutor | None = None
        self._in_progress = 0
        self._granted = 0
        self._open = False
        self._stopping = False
        self._failures: list[BaseException] = []

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def call_later(self, delay_s: float, action: Action) -> None:
        """Run `action` after a scaled wait."""
        heapq.heappush(self._due, (time.monotonic() + delay_s * self.scale, next(self._numbers), action))

    def perform[T](self, work: Callable[[], T], on_done: Callable[[T], None], duration_s: Callable[[T], float]) -> None:
        """Do `work` in a thread; see `Scheduler.perform`."""
        del duration_s
        if self._executor is None:
            raise RuntimeError("only an action may start a work")
        if self._stopping:
            return
        self._in_progress += 1

        def finish(result: T) -> None:
            self._in_progress -= 1
            on_done(result)

        def job() -> None:
            try:
                result = work()
            except BaseException as failure:  # noqa: BLE001 - raised again by `run`
                self._inbox.put(_raiser(failure))
            else:
                self._inbox.put(partial(finish, result))

        self._executor.submit(job)

    def post(self, action: Action) -> None:
        """Run `action` as soon as possible."""
        self._inbox.put(action)

    def run(self, source: Iterable[Action] = (), capacity: Callable[[], int] = lambda: 1) -> None:
        """Run everything; see `Scheduler.run`. After Ctrl-C, accepted events that wait for a retry do not end."""
        self._failures, self._granted, self._open, self._stopping = [], 0, True, False
        slots = Semaphore(0)
        actions = Thread(target=self._run_actions, args=(slots, capacity), name="pipeline")
        actions.start()
        interrupts: list[BaseException] = []
        try:
            for accept in source:
                slots.acquire()
                if self._failures:
                    break
                self._inbox.put(partial(self._accept, accept))
            self._inbox.put(self._close)
            actions.join()
        except BaseException as raised:  # noqa: BLE001 - raised again when all accepted events have finished
            interrupts.append(raised)
            self._inbox.put(self._close)
            if not isinstance(raised, Exception):  # Ctrl-C, SIGTERM
                self._inbox.put(self._stop)
                actions.join(GRACE_S if self._abandon is not None else None)
                if self._abandon is not None and actions.is_alive():
                    self._abandon()
            actions.join()
        for failure in (*self._failures, *interrupts):
            raise failure

    def _accept(self, accept: Action) -> None:
        self._granted -= 1
        accept()

    def _close(self) -> None:
        self._open = False

    def _stop(self) -> None:
        self._stopping = True

    def _is_busy(self) -> bool:
        if self._stopping:
            return self._in_progress > 0
        return self._open or bool(self._due) or self._in_progress > 0 or not self._inbox.empty()

    def _run_actions(self, slots: Semaphore, capacity: Callable[[], int]) -> None:
        """Run in the thread of the actions until nothing is left to do."""
        try:
            with ThreadPoolExecutor(self._threads, thread_name_prefix="pipeline") as self._executor:
                try:
                    while self._is_busy():
                        self._step(slots, capacity)
                finally:
                    self._executor.shutdown(cancel_futures=True)
        except BaseException as failure:  # noqa: BLE001 - raised again in the calling thread
            self._failures.append(failure)
        finally:
            slots.release()  # the calling thread may wait for a slot: it must see the failure

    def _step(self, slots: Semaphore, capacity: Callable[[], int]) -> None:
        """Run one action: one that is due, or else the next that arrives."""
        if (additional := capacity() - self._granted) > 0:
            self._granted += additional
            slots.release(additional)
        due = [] if self._stopping else self._due
        if due and due[0][0] <= time.monotonic():
            heapq.heappop(due)[2]()
            return
        try:
            self._inbox.get(timeout=max(0.0, due[0][0] - time.monotonic()) if due else None)()
        except queue.Empty:
            return


def _raiser(failure: BaseException) -> Action:
    def reraise() -> None:
        raise failure

    return reraise
