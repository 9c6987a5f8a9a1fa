"""What stands in for AWS while a function is measured: a process of its own, so that its work is not counted.

    python bench/stub.py

Binds loopback only: an HTTP port that answers every `TransactWriteItems` with success, connections kept alive, and a
UDP port that takes spans. Prints both ports as one line of JSON, serves until standard input ends, then prints what it
saw as another: `transactions`, `other_requests` (answered with HTTP 400), `connections`, `datagrams`, `datagram_bytes`.
"""

import asyncio
import json
import sys
import zlib
from collections import Counter

HOST = "127.0.0.1"
_TARGET = b"x-amz-target: dynamodb_20120810.transactwriteitems"
_COMMITTED = json.dumps(
    {
        "ConsumedCapacity": [
            {"TableName": "earningsCalendar", "CapacityUnits": 2.0},
            {"TableName": "earningsAudit", "CapacityUnits": 2.0},
        ]
    }
).encode()
_REFUSED = json.dumps(
    {"__type": "com.amazon.coral.service#UnknownOperationException", "message": "not part of the benchmark"}
).encode()


def reply(status: str, body: bytes) -> bytes:
    """A whole HTTP response as DynamoDB sends it, checksum included, for this status line and body."""
    head = (
        f"HTTP/1.1 {status}\r\n"
        "Server: Server\r\n"
        "Date: Tue, 03 Feb 2026 21:05:00 GMT\r\n"
        "Content-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: keep-alive\r\n"
        "x-amzn-RequestId: 3PK1NTPTJLKEJ4O8KQMU8DUGVNVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Spans(asyncio.DatagramProtocol):
    """Counts datagrams."""

    def __init__(self, seen: Counter[str]) -> None:
        self._seen = seen

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - the base class's name
        self._seen["datagrams"] += 1
        self._seen["datagram_bytes"] += len(data)


async def _requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Counter[str]) -> None:
    """Answer the requests of one connection until the client closes it."""
    seen["connections"] += 1
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            lines = head.split(b"\r\n")
            length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            known = _TARGET in lines
            seen["transactions" if known else "other_requests"] += 1
            writer.write(reply("200 OK", _COMMITTED) if known else reply("400 Bad Request", _REFUSED))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve() -> None:
    """Serve until standard input ends; see the module for what is printed."""
    seen: Counter[str] = Counter(transactions=0, other_requests=0, connections=0, datagrams=0, datagram_bytes=0)
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda r, w: _requests(r, w, seen), HOST, 0)
    transport, _ = await loop.create_datagram_endpoint(lambda: _Spans(seen), (HOST, 0))
    ports = {"http": server.sockets[0].getsockname()[1], "udp": transport.get_extra_info("sockname")[1]}
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    transport.close()
    server.close()
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
