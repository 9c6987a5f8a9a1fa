"""A fake DynamoDB, and a proxy before SQS, for the soak: one process, real sockets, faults on the wire.

    python -m tests.soak.fake_aws_server OPTIONS

OPTIONS is JSON: `seed`, `rates` (`tests.soak.faults.FaultRates`), `queue`, the URL of the SQS that calls are forwarded
to, and `dynamodb`, the URL of a DynamoDB, or null for `tests.soak.tables`. Prints its ports as a line of JSON,
and serves until standard input ends. Spans go to its UDP port, and are counted.

Its own operations: `Soak.Recover` ends the outage, `Soak.Counters` returns the counters.
"""

import asyncio
import re
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from emulator.faults import Reply
from emulator.faults import error_reply as dynamodb_error
from tests.soak.faults import FaultRates, Faults
from tests.soak.forwarding import Upstream
from tests.soak.plan import DOWN_PREFIX
from tests.soak.tables import TableError, Tables, cancelled

HOST = "127.0.0.1"
DYNAMODB, SQS = "DynamoDB_20120810", "AmazonSQS"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TARGET = re.compile(rb"\r\nx-amz-target: *([\w.]+)", re.IGNORECASE)
_DOWN = b'"' + DOWN_PREFIX.encode()
_WITH_FAULTS = {"TransactWriteItems", "SendMessage"}
_DONE_FIRST = {"lost_reply", "garbled", "stall"}
_SERVER_FAULT = 500


def http_reply(status: int, body: bytes) -> bytes:
    """A whole HTTP response as DynamoDB sends it."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "x-amzn-RequestId": "SOAK",
        "x-amz-crc32": str(zlib.crc32(body)),
    }
    return bytes(Reply(status, body, headers))


def error_reply(status: int, code: str, message: str = "injected", **extra: Any) -> bytes:
    """An error response."""
    return bytes(dynamodb_error(code, status, message, extra_body=extra))


class FakeAws:
    """Answers calls, and lets some of them go wrong.

    Attributes:
        counters: Calls, datagrams, and calls refused by the outage.
        outage: Whether rows of `DOWN_PREFIX` cannot be written.

    Args:
        tables: Serve DynamoDB's API, unless it is forwarded.
        faults: What goes wrong.
        upstreams: What calls are forwarded to, by the service's name in `X-Amz-Target`.
    """

    def __init__(self, tables: Tables, faults: Faults, upstreams: Mapping[str, Upstream]) -> None:
        self._tables = tables
        self._faults = faults
        self.upstreams = upstreams
        self.counters = {"calls": 0, "datagrams": 0, "outage": 0}
        self.outage = True
        self._operations: dict[str, Callable[[Any], dict[str, Any] | bytes]] = {
            "TransactWriteItems": tables.transact_write_items,
            "PutItem": tables.put_item,
            "GetItem": tables.get_item,
            "BatchWriteItem": tables.batch_write_item,
            "Scan": tables.scan,
            "CreateTable": tables.create_table,
            "DescribeTable": tables.describe_table,
            "Recover": self._recover,
            "Counters": self._all_counters,
        }

    def fault(self, operation: str, body: bytes) -> str | None:
        """What goes wrong with a call; None for nothing."""
        self.counters["calls"] += 1
        if operation not in _WITH_FAULTS:
            return None
        if self.outage and operation == "TransactWriteItems" and _DOWN in body:
            self.counters["outage"] += 1
            return "server_error"
        return self._faults.draw()

    def answer(self, operation: str, body: bytes) -> bytes:
        """The reply to a call of DynamoDB's or our own."""
        serve = self._operations.get(operation)
        if serve is None:
            return error_reply(400, "UnknownOperationException", f"{operation} is not served here")
        try:
            answer = serve(orjson.loads(body))
        except TableError as error:
            return error_reply(400, error.code, str(error), **error.extra)
        return http_reply(200, answer if isinstance(answer, bytes) else orjson.dumps(answer))

    def refusal(self, fault: str, operation: str) -> bytes:
        """The reply where a fault is one."""
        if fault == "server_error":
            return error_reply(_SERVER_FAULT, "InternalServerError")
        if operation != "TransactWriteItems":
            return error_reply(400, "ThrottlingException")
        code = "ThrottlingError" if fault == "throttle" else "TransactionConflict"
        error = cancelled([{"Code": code, "Message": "injected"}, {"Code": "None"}])
        return error_reply(400, error.code, str(error), **error.extra)

    def forward(self, service: str, head: bytes, body: bytes) -> bytes:
        """Let the real service answer; blocks.

        Raises:
            OSError: It does not.
        """
        return http_reply(*self.upstreams[service].post(head, body))

    def _recover(self, _: Any) -> dict[str, Any]:
        self.outage = False
        return {}

    def _all_counters(self, _: Any) -> dict[str, Any]:
        own = {} if DYNAMODB in self.upstreams else self._tables.counts
        return {**self.counters, **own, "faults": self._faults.counts}


class Connection(asyncio.Protocol):
    """One connection: requests one after another, kept alive."""

    def __init__(self, fake: FakeAws) -> None:
        self._fake_aws = fake
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `asyncio.Protocol` calls it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """As `asyncio.Protocol` calls it."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        length = _LENGTH.search(head)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < whole:
            return
        body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
        target = _TARGET.search(head)
        service, _, operation = (target[1].decode() if target else "").rpartition(".")
        fault = self._fake_aws.fault(operation, body)
        if service in self._fake_aws.upstreams and (fault is None or fault in _DONE_FIRST):
            task = asyncio.get_running_loop().create_task(self._forwarded((service, head, body), fault))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif fault is None or fault in _DONE_FIRST:
            self._finish(self._fake_aws.answer(operation, body), fault)
        elif fault == "reset":
            self._reset()
        else:
            self._write(self._fake_aws.refusal(fault, operation))

    async def _forwarded(self, request: tuple[str, bytes, bytes], fault: str | None) -> None:
        try:
            reply = await asyncio.to_thread(self._fake_aws.forward, *request)
        except OSError:
            reply = error_reply(_SERVER_FAULT, "InternalFailure")
        self._finish(reply, fault)

    def _finish(self, reply: bytes, fault: str | None) -> None:
        if fault == "lost_reply":
            self._reset()
        elif fault == "garbled":
            self._write(http_reply(200, b"<html>"))
        elif fault != "stall":
            self._write(reply)

    def _write(self, reply: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(reply)

    def _reset(self) -> None:
        """End the connection with RST."""
        if self._transport is not None:
            lingering = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            self._transport.abort()


class _Spans(asyncio.DatagramProtocol):
    def __init__(self, fake: FakeAws) -> None:
        self._fake_aws = fake

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Count it."""
        del data, addr
        self._fake_aws.counters["datagrams"] += 1


async def serve(fake: FakeAws, announce: Callable[[bytes], None], until: Callable[[], object]) -> None:
    """Serve on ports of loopback.

    Args:
        fake: Answers the requests.
        announce: Called with the ports, `{"http": ..., "udp": ...}` as JSON, once they are open.
        until: Returns when the server must end.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(fake), HOST, 0)
    spans, _ = await loop.create_datagram_endpoint(lambda: _Spans(fake), (HOST, 0))
    ports = {"http": server.sockets[0].getsockname()[1], "udp": spans.get_extra_info("sockname")[1]}
    announce(orjson.dumps(ports))
    await asyncio.to_thread(until)
    spans.close()
    server.close()


def main(make: Callable[[Tables, Faults, Mapping[str, Upstream]], FakeAws] = FakeAws) -> None:
    """Serve until standard input ends.

    Args:
        make: Makes the fake; a test passes a faulty one.
    """
    options = orjson.loads(sys.argv[1])
    urls = {SQS: options["queue"], DYNAMODB: options["dynamodb"]}
    upstreams = {service: Upstream(url) for service, url in urls.items() if url}
    fake = make(Tables(), Faults(FaultRates(**options["rates"]), options["seed"]), upstreams)
    asyncio.run(serve(fake, lambda ports: print(ports.decode(), flush=True), sys.stdin.read))  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
