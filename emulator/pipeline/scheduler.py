"""Time as a parameter of the chain: simulated, or real with its waits scaled."""

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

SIMULATION_START = 1_753_992_000.0  # 2025-07-31T20:00:00Z


class Scheduler(Protocol):
    """What happens when. Every action runs in the thread that called `run`: what they share needs no lock.

    Attributes:
        scale: Seconds that a wait of one second takes.
    """

    scale: float

    def now(self) -> float:
        """Unix time in seconds."""

    def call_later(self, delay_s: float, action: Action) -> None:
        """Run `action` after a wait, which is scaled."""

    def perform[T](self, work: Callable[[], T], then: Callable[[T], None], duration_s: Callable[[T], float]) -> None:
        """Do `work`, which may take time, beside everything else; then call `then` with its result.

        Args:
            work: May run in another thread.
            then: Is an action.
            duration_s: Tells from the result how many seconds the work takes where time is simulated.
        """

    def post(self, action: Action) -> None:
        """Run `action` as soon as `run` gets to it. Any thread may call this."""

    def run(self, source: Iterable[Action] = (), capacity: Callable[[], int] = lambda: 1) -> None:
        """Take the input in and let things happen until nothing is left to happen.

        Args:
            source: The input: each item is an action that takes one thing in.
            capacity: Tells how many of them may be taken now.

        Raises:
            BaseException: What an action, a work or the source raised. If it was the source, or Ctrl-C, all that had
                been taken in was brought to its end before; after `SystemExit`, only what was under way.
        """


class SimulatedScheduler:
    """Time that passes as fast as things are done; the same calls give the same history.

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

    def perform[T](self, work: Callable[[], T], then: Callable[[T], None], duration_s: Callable[[T], float]) -> None:
        """Do `work` now; `then` comes when the time that it says it took has passed."""
        result = work()
        self.call_later(duration_s(result), lambda: then(result))

    def post(self, action: Action) -> None:
        """Run `action` next, at the present time."""
        self.call_later(0, action)

    def run(
        self,
        source: Iterable[Action] = (),
        capacity: Callable[[], int] = lambda: 1,
        *,
        until: float = float("inf"),
    ) -> None:
        """Let everything happen, in the order of its time; see `Scheduler.run`.

        Args:
            source: See there.
            capacity: See there.
            until: Unix time; what is due later stays for the next call.
        """
        inputs = iter(source)
        failure: BaseException | None = None
        more = True
        while True:
            while more and capacity() > 0:
                try:
                    take = next(inputs, None)
                except BaseException as raised:  # noqa: BLE001 - raised again when what is under way has ended
                    failure, take = raised, None
                more = take is not None
                if take is not None:
                    take()
            if not self._due or self._due[0][0] > until:
                break
            self._now, _, action = heapq.heappop(self._due)
            action()
        if until != float("inf"):
            self._now = max(self._now, until)
        if failure is not None:
            raise failure


class RealTimeScheduler:
    """Real time, with threads for what takes time, and waits that may be shorter than they are on AWS.

    The actions run in a thread of their own: the caller's only reads the input, so that an input that comes slowly
    holds nothing up, and an interruption never strikes in the middle of an action.

    Args:
        threads: Works that may be under way at once; others wait for a thread.
        scale: Seconds that a wait of one second takes; 1 for AWS's own pace.
    """

    def __init__(self, threads: int, *, scale: float = 1.0) -> None:
        self.scale = scale
        self._threads = threads
        self._due: list[tuple[float, int, Action]] = []
        self._numbers = count()
        self._inbox: queue.SimpleQueue[Action] = queue.SimpleQueue()
        self._executor: ThreadPoolExecutor | None = None
        self._under_way = 0
        self._granted = 0
        self._open = False
        self._failures: list[BaseException] = []

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def call_later(self, delay_s: float, action: Action) -> None:
        """Run `action` after a scaled wait."""
        heapq.heappush(self._due, (time.monotonic() + delay_s * self.scale, next(self._numbers), action))

    def perform[T](self, work: Callable[[], T], then: Callable[[T], None], duration_s: Callable[[T], float]) -> None:
        """Do `work` in a thread; see `Scheduler.perform`."""
        del duration_s
        assert self._executor is not None  # noqa: S101 - only actions come here
        self._under_way += 1

        def ended(result: T) -> None:
            self._under_way -= 1
            then(result)

        def job() -> None:
            try:
                result = work()
            except BaseException as failure:  # noqa: BLE001 - raised again by `run`
                self._inbox.put(_raiser(failure))
            else:
                self._inbox.put(partial(ended, result))

        self._executor.submit(job)

    def post(self, action: Action) -> None:
        """Run `action` as soon as `run` gets to it."""
        self._inbox.put(action)

    def run(self, source: Iterable[Action] = (), capacity: Callable[[], int] = lambda: 1) -> None:
        """See `Scheduler.run`. A second interruption does not wait for what is still to be tried again."""
        self._failures, self._granted, self._open = [], 0, True
        slots = Semaphore(0)
        core = Thread(target=self._happen, args=(slots, capacity), name="chain")
        core.start()
        interruption: list[BaseException] = []
        try:
            for take in source:
                slots.acquire()
                if self._failures:
                    break
                self._inbox.put(partial(self._take, take))
            self._inbox.put(self._close)
            core.join()
        except BaseException as raised:  # noqa: BLE001 - raised again when what is under way has ended
            interruption.append(raised)
            self._inbox.put(self._close)
            if isinstance(raised, SystemExit):  # SIGTERM: what is to be tried again later must not hold it up
                self._inbox.put(_raiser(raised))
            self._wait_for(core)
        for failure in (*self._failures, *interruption):
            raise failure

    def _wait_for(self, core: Thread) -> None:
        try:
            core.join()
        except KeyboardInterrupt:
            self._inbox.put(_raiser(KeyboardInterrupt()))
            core.join()

    def _take(self, take: Action) -> None:
        self._granted -= 1
        take()

    def _close(self) -> None:
        self._open = False

    def _happen(self, slots: Semaphore, capacity: Callable[[], int]) -> None:
        """What the chain's own thread does."""
        try:
            with ThreadPoolExecutor(self._threads, thread_name_prefix="chain") as self._executor:
                try:
                    while self._open or self._due or self._under_way or not self._inbox.empty():
                        self._step(slots, capacity)
                finally:
                    self._executor.shutdown(cancel_futures=True)
        except BaseException as failure:  # noqa: BLE001 - raised again in the caller's thread
            self._failures.append(failure)
        finally:
            slots.release()  # whoever waits for room looks at the failure

    def _step(self, slots: Semaphore, capacity: Callable[[], int]) -> None:
        """Run what is due, or else the next that comes."""
        if (more := capacity() - self._granted) > 0:
            self._granted += more
            slots.release(more)
        if self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
            return
        try:
            self._inbox.get(timeout=max(0.0, self._due[0][0] - time.monotonic()) if self._due else None)()
        except queue.Empty:
            return


def _raiser(failure: BaseException) -> Action:
    def again() -> None:
        raise failure

    return again
