"""A stub of AWS for measurements, in a process of its own, so that its work is not counted.

    python bench/stub.py [--tls FILE]

Listens on loopback: an HTTP port with keep-alive (TLS with the key and certificate in FILE, if given) for DynamoDB and
a collector, one without TLS for credentials, and a UDP port for spans. Prints the ports as one line of JSON, serves
until standard input ends, then prints its counts as another line:

    transactions            `TransactWriteItems`, always successful
    idempotency_requests    `PutItem` and `UpdateItem` of Powertools Idempotency, always successful
    otlp_requests           OTLP over HTTP, always successful
    credential_requests     of the container endpoint that SnapStart has; see `credentials`
    other_requests          anything else; the response is HTTP 400
    connections, datagrams, datagram_bytes
"""

import asyncio
import json
import ssl
import sys
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta

HOST = "127.0.0.1"
_DYNAMODB = b"x-amz-target: dynamodb_20120810."
_COMMITTED = json.dumps(
    {
        "ConsumedCapacity": [
            {"TableName": "earningsCalendar", "CapacityUnits": 2.0},
            {"TableName": "earningsAudit", "CapacityUnits": 2.0},
        ]
    }
).encode()
_REJECTED = json.dumps(
    {"__type": "com.amazon.coral.service#UnknownOperationException", "message": "not part of the benchmark"}
).encode()


def kind(head: bytes) -> str:
    """Return the kind of a request by its head in lower case."""
    line, *headers = head.split(b"\r\n")
    if line.startswith((b"post /v1/traces ", b"post /v1/metrics ")):
        return "otlp_requests"
    if line.startswith(b"get /credentials "):
        return "credential_requests"
    operation = next((header.removeprefix(_DYNAMODB) for header in headers if header.startswith(_DYNAMODB)), b"")
    known = {
        b"transactwriteitems": "transactions",
        b"putitem": "idempotency_requests",
        b"updateitem": "idempotency_requests",
    }
    return known.get(operation, "other_requests")


def reply(status: str, body: bytes) -> bytes:
    """Return a complete HTTP response as DynamoDB sends it, with a checksum."""
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


def credentials(head: bytes) -> bytes:
    """Return a response with credentials: those from before a restore expire soon, so that they are requested again.

    Args:
        head: Of the request, in lower case; `authorization: restored` after a restore.
    """
    valid = timedelta(hours=6 if b"\r\nauthorization: restored" in head else 0, minutes=5)
    body = {
        "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "Token": "session",
        "Expiration": (datetime.now(UTC) + valid).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return reply("200 OK", json.dumps(body).encode())


_RESPONSES = {
    "transactions": reply("200 OK", _COMMITTED),
    "idempotency_requests": reply("200 OK", b"{}"),
    # The OTLP response is an empty protobuf message.
    "otlp_requests": b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n",
    "other_requests": reply("400 Bad Request", _REJECTED),
}


class _Spans(asyncio.DatagramProtocol):
    """Counts datagrams."""

    def __init__(self, seen: Counter[str]) -> None:
        self._seen = seen

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - the name of the base class's parameter
        self._seen["datagrams"] += 1
        self._seen["datagram_bytes"] += len(data)


async def _requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Counter[str]) -> None:
    """Serve the requests of one connection until the client closes it."""
    seen["connections"] += 1
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            lines = head.split(b"\r\n")
            length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            request_kind = kind(head)
            seen[request_kind] += 1
            writer.write(credentials(head) if request_kind == "credential_requests" else _RESPONSES[request_kind])
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve(tls: ssl.SSLContext | None) -> None:
    """Serve until standard input ends. The module's docstring describes the output."""
    seen: Counter[str] = Counter(
        dict.fromkeys([*_RESPONSES, "credential_requests", "connections", "datagrams", "datagram_bytes"], 0)
    )
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(lambda r, w: _requests(r, w, seen), HOST, 0, ssl=tls)
    transport, _ = await loop.create_datagram_endpoint(lambda: _Spans(seen), (HOST, 0))
    plain = await asyncio.start_server(lambda r, w: _requests(r, w, seen), HOST, 0)
    ports = {
        "http": server.sockets[0].getsockname()[1],
        "udp": transport.get_extra_info("sockname")[1],
        "credentials": plain.sockets[0].getsockname()[1],  # as on Lambda, without TLS
    }
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    transport.close()
    server.close()
    plain.close()
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    context = None
    if sys.argv[1:2] == ["--tls"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[2])
    asyncio.run(serve(context))
