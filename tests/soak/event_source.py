"""The input of a soak."""

import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from emulator.pipeline.pipeline import InputEvent
from emulator.services.tables import CALENDAR_TABLE
from tests.soak.fake_aws import FakeAwsClient
from tests.soak.plan import Kind, Plan

_BLOCK = 1_000
_REPORT_EVERY = 20


class EventSource:
    """The events, in order; the calendar's rows are loaded a block ahead of them.

    Attributes:
        sent: Events that were sent so far.
        kinds: The same by kind.
        stop: Set it to end the sending.

    Args:
        plan: The events.
        events: How many there are.
        minutes: No more are sent after so many.
        client: Of the store, for the rows.
        on_progress: Called now and then with the number sent.
    """

    def __init__(
        self, plan: Plan, events: int, minutes: float | None, client: FakeAwsClient, on_progress: Callable[[int], None]
    ) -> None:
        self._plan = plan
        self._events = events
        self._minutes = float("inf") if minutes is None else minutes
        self._client = client
        self._report = on_progress
        self.stop = threading.Event()
        self.sent = 0
        self.kinds = {kind.value: 0 for kind in Kind}

    def __iter__(self) -> Iterator[InputEvent]:
        """Yield them, each as an arrival on the bus."""
        end = time.monotonic() + 60 * self._minutes
        for numbers in itertools.batched(range(self._events), _BLOCK, strict=False):
            block = [self._plan.event(number) for number in numbers]
            with_row = [event for event in block if event.kind in {Kind.FRESH, Kind.DOWN}]
            self._client.load(CALENDAR_TABLE, [self._plan.symbol(event) for event in with_row])
            for event in block:
                if self.stop.is_set() or time.monotonic() > end:
                    return
                self.sent += 1
                self.kinds[event.kind] += 1
                if self.sent % _REPORT_EVERY == 0:
                    self._report(self.sent)
                yield InputEvent(self._plan.payload(event), event.number)


@contextmanager
def stopped_by_signals(feed: EventSource) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the sending; the account is then of what was sent."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(name, lambda *_: feed.stop.set()) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
