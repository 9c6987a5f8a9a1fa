"""Kills a process at one of the AWS calls that it makes. The calls are counted, not listed: a new one is covered."""

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

from emulator.faults import Exchange, Fault, FaultProxy, Reply
from tests.support.forked_cli import Forks
from tests.support.thorough import THOROUGH

_MANY = 100
_READS = {
    *("DescribeRule", "ListRules", "ListTargetsByRule", "TestEventPattern", "GetFunctionConcurrency"),
    *("GetQueueAttributes", "GetItem", "Query"),
}
"""Operations that change nothing. `ReceiveMessage` begins a visibility timeout."""


@dataclass
class CallKiller:
    """Counts the calls of one process to all services, and kills it at one of them.

    Attributes:
        forward: Answers a call.
        at: Number of the call, from 0; None for no kill.
        after: Whether the call is forwarded first; its response is dropped.
        sent: The signal.
        calls: The operations, in order.
        handles: Receipt handles of received messages.
    """

    forward: Callable[[Exchange], Reply]
    at: int | None = None
    after: bool = False
    processes: Forks | None = None
    sent: signal.Signals = signal.SIGKILL
    calls: list[str] = field(default_factory=list)
    handles: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def where(self) -> str:
        """The call at which the process was killed, for a failing test."""
        return f"killed {'after' if self.after else 'before'} call {self.at}, {self.calls[-1]}"

    @contextmanager
    def watching(self, proxies: Iterable[FaultProxy]) -> Iterator[None]:
        """Meet every call that passes these proxies."""
        every = tuple(proxies)
        for proxy in every:
            proxy._script.clear()
            proxy.script(*[Fault("counted", self._meet)] * _MANY)
        yield
        for proxy in every:
            proxy._script.clear()

    def _meet(self, exchange: Exchange) -> None:
        with self._lock:
            number = len(self.calls)
            # Of the APIs only Lambda's is REST.
            rest = "Invoke" if exchange.request.method == "POST" else "GetFunctionConcurrency"
            self.calls.append(exchange.request.operation or rest)
        dies = number == self.at
        if not dies or self.after:
            reply = self.forward(exchange)
            if exchange.request.operation == "ReceiveMessage":
                self.handles += [message["ReceiptHandle"] for message in json.loads(reply.body).get("Messages", [])]
            if not dies:
                exchange.reply(reply)
                return
        assert self.processes is not None
        assert self.processes.started.wait(60)
        os.kill(self.processes.pid, self.sent)
        exchange.reset()


def kills(whole: CallKiller) -> Iterator[tuple[int, bool]]:
    """Yield call and moment of a kill for each state in which one can leave the services, given a run without a kill.

    To be killed after a call, before its response arrives, leaves them as a kill before the next call does: the process
    makes one call at a time, and its memory is lost. So does a kill before the call that follows a read. So only the
    last call has a kill after it, and no call directly after a read a kill before it, unless `THOROUGH`.
    """
    for at in range(len(whole.calls)):
        if THOROUGH or not at or whole.calls[at - 1] not in _READS:
            yield at, False
        if THOROUGH or at == len(whole.calls) - 1:
            yield at, True
