"""A server between a client and an endpoint that does to each request what a script says."""

import socket
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from threading import Condition, Event, Lock, Thread
from typing import Self
from urllib.parse import urlsplit

from tests.support.http_socket import Exchange, Request, read_request


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    Attributes:
        name: for assertions and for people.
        act: does it.
    """

    name: str
    act: Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that reached the proxy.

    Attributes:
        request: as it came.
        fault: the name of what was done to it.
    """

    request: Request
    fault: str


PASS = Fault("forward", lambda exchange: exchange.reply(exchange.forward()))


class FaultProxy:
    """A server on loopback that passes requests on, except for what its script says.

    Args:
        upstream: URL of the endpoint behind it.
        faults: the script: one for each request, in order.
        operation: the script is for requests of this AWS operation only; others pass.
        otherwise: what happens to a request that the script has nothing for.

    Attributes:
        url: its own URL, for `endpoint_url`.
    """

    def __init__(self, upstream: str, *faults: Fault, operation: str | None = None, otherwise: Fault = PASS) -> None:
        target = urlsplit(upstream)
        self._upstream = (target.hostname or "", target.port or 80)
        self._otherwise = otherwise
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
        """Every request so far, also those that never got an answer."""
        with self._lock:
            return tuple(self._requests)

    @property
    def unused(self) -> tuple[str, ...]:
        """The names of the faults that no request has met yet."""
        with self._lock:
            return tuple(fault.name for _, fault in self._script)

    def attempts(self, operation: str) -> int:
        """Return how often an AWS operation was asked for."""
        return sum(recorded.request.operation == operation for recorded in self.requests)

    def wait_for_requests(self, count: int, timeout_s: float = 30) -> None:
        """Wait until so many requests have come, answered or not.

        Raises:
            TimeoutError: they have not.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._requests) >= count, timeout_s):
                raise TimeoutError(f"{len(self._requests)} of {count} requests came within {timeout_s:g} s")

    def script(self, *faults: Fault, operation: str | None = None) -> None:
        """Add to the end of the script, for one operation or for all."""
        with self._lock:
            self._script.extend((operation, fault) for fault in faults)

    def close(self) -> None:
        """End all connections and wait for every thread."""
        with self._lock:
            self._closing_down.set()
            for connection in self._connections:
                with suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError), closing(socket.create_connection(self._listener.getsockname())):
            pass  # wakes the accepting thread
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
        # The stream is closed before the socket: only then does the socket's close reach the network.
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
            self._requests.append(Recorded(request, fault.name))
            self._arrived.notify_all()
            return fault
