"""What goes wrong on the wire, how often, and by which seed."""

from dataclasses import asdict, dataclass, fields
from random import Random


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Probability of each fault, of each call of the function's.

    Attributes:
        throttle: Refused for now; nothing was done.
        conflict: Another transaction uses the row; nothing was done.
        server_error: 500; nothing was done.
        reset: The connection is reset before anything was done.
        lost_reply: It is done, then the connection is reset.
        garbled: It is done, then the reply has status 200 and a body that is no JSON.
        stall: It is done, then no reply comes.
    """

    throttle: float = 0.000_5
    conflict: float = 0.001
    server_error: float = 0.001
    reset: float = 0.001
    lost_reply: float = 0.001
    garbled: float = 0.000_5
    stall: float = 0.000_2

    def times(self, factor: float) -> "FaultRates":
        """The same, so many times as often."""
        return FaultRates(**{name: rate * factor for name, rate in asdict(self).items()})

    @classmethod
    def none(cls) -> "FaultRates":
        """No faults at all."""
        return cls(**dict.fromkeys((each.name for each in fields(cls)), 0.0))


class Faults:
    """Draws faults, and counts them.

    Attributes:
        counts: How often each came.
    """

    def __init__(self, rates: FaultRates, seed: int) -> None:
        self._random = Random(f"faults {seed}")
        self._rates = asdict(rates)
        self.counts: dict[str, int] = dict.fromkeys(self._rates, 0)

    def draw(self) -> str | None:
        """What happens to the next call; None for nothing."""
        drawn = self._random.random()
        for name, rate in self._rates.items():
            drawn -= rate
            if drawn < 0:
                self.counts[name] += 1
                return name
        return None
