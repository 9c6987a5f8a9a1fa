"""Kill a process at one of its AWS calls, which are numbered in their order over all services."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock

from emulator.faults import Exchange, Fault, Reply, forward

RETURN = "Return"
"""Not an AWS call, but numbered with them: see `wrapping_handlers.report_before_return`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a process is killed.

    Attributes:
        number: The call, from 0.
        after: Whether the call is carried out first; its response never arrives.
    """

    number: int
    after: bool


@dataclass
class Watch:
    """Observes the calls of one process, injects faults, and kills the process at one call.

    Attributes:
        kill: Kills the process.
        faults: The faults of an operation's first calls, in order; later calls pass.
        moment: When the process is killed; None for never.
        calls: Operations, in order.
        sent: Bodies of the messages that SQS accepted.
        killed: Whether the process was killed.
    """

    kill: Callable[[], None] = lambda: None
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    moment: Moment | None = None
    calls: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    killed: bool = False
    _lock: Lock = field(default_factory=Lock)

    def on_call(self, exchange: Exchange) -> None:
        """Handle one call: `Fault.act`."""
        with self._lock:
            operation = exchange.request.operation
            number, earlier = len(self.calls), self.calls.count(operation)
            self.calls.append(operation)
        script = self.faults.get(operation, ())
        act = script[earlier].act if earlier < len(script) else self._pass
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

    def states(self) -> Iterator[Moment]:
        """Return a moment for each state in which a kill can leave the services and the output.

        To be killed after a call, before its response arrives, leaves them as a kill before the next call does: the
        process makes one call at a time, and its memory is lost. Only before `RETURN` it also writes its metrics.
        """
        for number, operation in enumerate(self.calls):
            yield Moment(number, after=False)
            if operation != RETURN and self.calls[number + 1 : number + 2] in ([], [RETURN]):
                yield Moment(number, after=True)

    def moments(self) -> Iterator[Moment]:
        """Return the moments before and after each call; only before `RETURN`, whose response changes nothing."""
        for number, operation in enumerate(self.calls):
            yield Moment(number, after=False)
            if operation != RETURN:
                yield Moment(number, after=True)
