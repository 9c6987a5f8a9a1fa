"""The delivery results of each event, in one byte per event."""

from collections.abc import Callable

import orjson

from emulator.pipeline.model import DeliveryResult, Disposition
from tests.soak.plan import number_in

_BITS = {
    disposition: 1 << position
    for position, disposition in enumerate((Disposition.MARKED, Disposition.DUPLICATE, Disposition.DEAD_LETTERED))
}
_DESTINATION = 1 << 3
_ELSEWHERE = 1 << 4
_SUCCESS = _BITS[Disposition.MARKED] | _BITS[Disposition.DUPLICATE]


class Ledger:
    """Records delivery results.

    Attributes:
        ended: Deliveries that ended.
        dispositions: Deliveries that ended, by disposition.
        tries: Invocations of these deliveries.
        unsent: Records that no failure destination accepted.

    Args:
        events: How many there can be.
        at: Called when so many deliveries have ended, with their number, for each of `moments`.
        moments: When to call it.
    """

    def __init__(self, events: int, at: Callable[[int], None] | None = None, moments: tuple[int, ...] = ()) -> None:
        self._seen = bytearray(events)
        self._at = at
        self._moments = frozenset(moments)
        self.ended = 0
        self.dispositions: dict[Disposition, int] = dict.fromkeys(Disposition, 0)
        self.tries = 0
        self.unsent = 0

    def __call__(self, delivery_result: DeliveryResult) -> None:
        """Record a result."""
        number = (
            delivery_result.tag if delivery_result.tag is not None else number_in(orjson.loads(delivery_result.payload))
        )
        self._seen[number] |= _BITS.get(delivery_result.disposition) or (
            _DESTINATION if delivery_result.disposition is Disposition.ON_FAILURE else _ELSEWHERE
        )
        self.ended += 1
        self.dispositions[delivery_result.disposition] += 1
        self.tries += delivery_result.attempts
        self.unsent += len(delivery_result.unsent)
        if self.ended in self._moments and self._at is not None:
            self._at(self.ended)

    def succeeded(self, number: int) -> bool:
        """Whether a delivery of the event ended in `marked` or `duplicate`."""
        return bool(self._seen[number] & _SUCCESS)

    def ended_at_all(self, number: int) -> bool:
        """Whether any delivery of the event ended."""
        return bool(self._seen[number])
