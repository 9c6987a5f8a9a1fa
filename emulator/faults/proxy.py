"""The fault proxy: a server between a client and a service that applies a scripted fault to each request.

It reads and writes bare sockets: an HTTP server could neither reset a connection nor send half a response.
"""

import socket
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Condition, Event, Lock, Thread
from typing import Self
from urllib.parse import urlsplit

from emulator.faults.exchange import Exchange, Request, read_request


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    Attributes:
        name: The name in `FaultProxy.requests` and `FaultProxy.unused`.
        act: Applies the fault.
    """

    name: str
    act: Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that reached the proxy.

    Attributes:
        fault: The name of the fault that was applied.
    """

    request: Request
    fault: str


PASS = Fault("forward", lambda exchange: exchange.reply(exchange.forward()))


class FaultProxy:
    """A server on loopback that forwards requests to a service, except where its script says otherwise.

    Args:
        upstream: The URL of the service. Where no fault forwards, nothing needs to listen there.
        faults: The script: one fault for each request, in order.
        operation: The AWS operation that the script applies to; None for every request.
        otherwise: The fault for requests beyond the script.
        recording: Whether `requests` has every request; False for a run of any length.

    Attributes:
        url: The proxy's URL, for `endpoint_url`.
    """

    def __init__(
        self,
        upstream: str,
        *faults: Fault,
        operation: str | None = None,
        otherwise: Fault = PASS,
        recording: bool = True,
    ) -> None:
        target = urlsplit(upstream)
        self._upstream = (target.hostname or "", target.port or 80)
        self._otherwise = otherwise
        self._recording = recording
        self._script: deque[tuple[str | None, Fault]] = deque()
        self._requests: list[Recorded] = []
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        self._arrived = Condition(self._lock)
        self._closing_down = Event()
        self.script(*faults, operation=operation)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [Thread(target=self._accept, name="fault-proxy")]
        self._threads[0].start()

    @property
    def requests(self) -> tuple[Recorded, ...]:
        """Every request so far, answered or not."""
        with self._lock:
            return tuple(self._requests)

    @property
    def unused(self) -> tuple[str, ...]:
        """The names of the faults that were not applied yet."""
        with self._lock:
            return tuple(fault.name for _, fault in self._script)

    def attempts(self, operation: str) -> int:
        """Return how many requests of an AWS operation have arrived."""
        return sum(recorded.request.operation == operation for recorded in self.requests)

    def wait_for_requests(self, count: int, timeout_s: float = 30) -> None:
        """Wait until that many requests have arrived, answered or not.

        Raises:
            TimeoutError: They have not arrived in time.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._requests) >= count, timeout_s):
                raise TimeoutError(f"{len(self._requests)} of {count} requests arrived within {timeout_s:g} s")

    def script(self, *faults: Fault, operation: str | None = None) -> None:
        """Append faults to the script, for one operation or for all."""
        with self._lock:
            self._script.extend((operation, fault) for fault in faults)

    def close(self) -> None:
        """Close all connections and wait for every thread."""
        with self._lock:
            self._closing_down.set()
            for connection in self._connections:
                with suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError), closing(socket.create_connection(self._listener.getsockname())):
            pass  # wakes the thread that accepts
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with self._lock:
                if self._closing_down.is_set():
                    connection.close()
                    return
                self._connections.add(connection)
            thread = Thread(target=self._serve, args=(connection,), name="fault-proxy-connection")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # The stream must be closed before the socket: it holds the connection open.
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while (request := read_request(stream)) is not None:
                exchange = Exchange(connection, request, self._upstream, self._closing_down)
                self._next(request).act(exchange)
                if exchange.over:
                    break
        with self._lock:
            self._connections.discard(connection)

    def _next(self, request: Request) -> Fault:
        with self._lock:
            entry = next((entry for entry in self._script if entry[0] in {None, request.operation}), None)
            if entry is not None:
                self._script.remove(entry)
            fault = self._otherwise if entry is None else entry[1]
            if self._recording:
                self._requests.append(Recorded(request, fault.name))
            self._arrived.notify_all()
            return fault
