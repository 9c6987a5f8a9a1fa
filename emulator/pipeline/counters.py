"""The account of the chain: what was taken in, what is on its way, and where everything ended."""

from collections.abc import Callable

from emulator.pipeline.dispositions import DeliveryResult, Disposition


class DeliveryCounters:
    """Counts deliveries in a few numbers, however many there are.

    A delivery is one event for one target. What the queue delivers once more after it succeeded is a delivery of its
    own, and so is what was redriven or replayed.

    Attributes:
        received: Deliveries taken in.
        redelivered: Deliveries that the queue made once more after a success.
        dispositions: Deliveries that ended, by place.
        tries: Invocations of the function.
        throttles: Times that an event was put back because of a throttle or a system error.

    Args:
        on_end: Called with each delivery that has ended.
    """

    def __init__(self, on_end: Callable[[DeliveryResult], None] | None = None) -> None:
        self._on_end = on_end
        self.received = 0
        self.redelivered = 0
        self.dispositions = dict.fromkeys(Disposition, 0)
        self.tries = 0
        self.throttles = 0

    def end(self, delivery_result: DeliveryResult) -> None:
        """Book a delivery that has ended."""
        self.dispositions[delivery_result.disposition] += 1
        self.tries += delivery_result.tries
        self.throttles += delivery_result.throttles
        if self._on_end is not None:
            self._on_end(delivery_result)

    @property
    def ended(self) -> int:
        """Deliveries that have ended."""
        return sum(self.dispositions.values())

    @property
    def live(self) -> int:
        """Deliveries that are on their way."""
        return self.received + self.redelivered - self.ended
