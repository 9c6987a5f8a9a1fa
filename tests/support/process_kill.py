"""A process killed at one of its AWS calls: the calls are numbered as they come, over all services."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock

from emulator.faults import Exchange, Fault, Reply, forward

RETURN = "Return"
"""No AWS call, but numbered with them: the function is about to answer or to raise (`around.told_before_return`)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a process is killed.

    Attributes:
        number: of the call, from 0.
        after: whether the call is carried out first; its reply never arrives.
    """

    number: int
    after: bool


@dataclass
class Watch:
    """Sees the calls of one process, spoils some, and kills it at one.

    Attributes:
        kill: kills the process.
        faults: by operation, what its first call meets, its second, and so on; what follows passes.
        moment: when the process is killed; None for never.
        calls: operations, in order.
        sent: bodies of the messages that SQS took.
        killed: whether the moment came.
    """

    kill: Callable[[], None] = lambda: None
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    moment: Moment | None = None
    calls: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    killed: bool = False
    _lock: Lock = field(default_factory=Lock)

    def meet(self, exchange: Exchange) -> None:
        """What each call meets: `Fault.act`."""
        with self._lock:
            operation = exchange.request.operation
            number, of_its_kind = len(self.calls), self.calls.count(operation)
            self.calls.append(operation)
        script = self.faults.get(operation, ())
        act = script[of_its_kind].act if of_its_kind < len(script) else self._pass
        dies = self.moment is not None and self.moment.number == number
        if not dies:
            act(exchange)
            return
        if self.moment is not None and self.moment.after:
            act(exchange.without_client())
        self.killed = True
        self.kill()
        exchange.reset()

    def _pass(self, exchange: Exchange) -> None:
        if exchange.request.operation == RETURN:
            exchange.reply(Reply(200, b""))
            return
        if exchange.request.operation == "SendMessage":
            self.sent.append(exchange.request.json["MessageBody"])
        forward().act(exchange)

    def moments(self) -> Iterator[Moment]:
        """Before and after each call; the answer to the function's return changes nothing, so that one only before."""
        for number, operation in enumerate(self.calls):
            yield Moment(number, after=False)
            if operation != RETURN:
                yield Moment(number, after=True)
