"""The Runtime API follows the protocol of Lambda's."""

import http.client
import queue
import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from emulator.lambda_runtime.runtime_api import ApiEvent, Invocation, RuntimeApi

INVOCATION = Invocation(
    request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    payload=b'{"detail": 1}',
    deadline_ms=1_542_409_706_888,
    function_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
    trace_header="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
)
NEXT = "/2018-06-01/runtime/invocation/next"


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with RuntimeApi() as api:
        yield api


def call(api: RuntimeApi, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(api.address, timeout=10)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def events(api: RuntimeApi, count: int) -> list[ApiEvent]:
    return [api.events.get(timeout=10) for _ in range(count)]


def test_next_returns_the_invocation_with_lambda_s_headers(api: RuntimeApi) -> None:
    api.offer(INVOCATION)

    status, headers, body = call(api, "GET", NEXT)

    assert (status, body) == (200, INVOCATION.payload)
    assert headers["Content-Type"] == "application/json"
    assert headers["Lambda-Runtime-Aws-Request-Id"] == INVOCATION.request_id
    assert headers["Lambda-Runtime-Deadline-Ms"] == "1542409706888"
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == INVOCATION.function_arn
    assert headers["Lambda-Runtime-Trace-Id"] == INVOCATION.trace_header
    assert events(api, 2) == [ApiEvent("ready"), ApiEvent("taken", INVOCATION.request_id)]


def test_truncated_response_is_ignored(api: RuntimeApi) -> None:
    """The process was killed while it wrote: its death is what counts, and Lambda tries again."""
    api.offer(INVOCATION)
    call(api, "GET", NEXT)
    events(api, 2)
    path = f"/2018-06-01/runtime/invocation/{INVOCATION.request_id}/response"
    head = f"POST {path} HTTP/1.1\r\nHost: api\r\nContent-Length: 22\r\n\r\n"
    host, _, port = api.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as dying:
        dying.sendall(head.encode() + b'{"outcome"')
        dying.shutdown(socket.SHUT_WR)
        assert dying.recv(1) == b""  # it is not thanked either

    with pytest.raises(queue.Empty):
        api.events.get_nowait()


def test_next_waits_for_an_invocation(api: RuntimeApi) -> None:
    answers: queue.SimpleQueue[int] = queue.SimpleQueue()
    thread = Thread(target=lambda: answers.put(call(api, "GET", NEXT)[0]))
    thread.start()
    assert events(api, 1) == [ApiEvent("ready")]
    assert answers.empty()

    api.offer(INVOCATION)

    assert answers.get(timeout=10) == 200
    thread.join()


@pytest.mark.parametrize("kind", ["response", "error"])
def test_response_is_reported(api: RuntimeApi, kind: str) -> None:
    api.offer(INVOCATION)
    call(api, "GET", NEXT)

    status, _, _ = call(api, "POST", f"/2018-06-01/runtime/invocation/{INVOCATION.request_id}/{kind}", b'{"x":1}')

    assert status == 202
    last = events(api, 3)[-1]
    assert (last.kind, last.request_id, last.payload) == (kind, INVOCATION.request_id, b'{"x":1}')


def test_response_to_another_invocation_is_rejected(api: RuntimeApi) -> None:
    api.offer(INVOCATION)
    call(api, "GET", NEXT)
    events(api, 2)

    status, _, _ = call(api, "POST", "/2018-06-01/runtime/invocation/other/response", b"1")

    assert status == 400
    assert api.events.empty()


def test_second_response_is_rejected(api: RuntimeApi) -> None:
    api.offer(INVOCATION)
    call(api, "GET", NEXT)
    path = f"/2018-06-01/runtime/invocation/{INVOCATION.request_id}/response"

    assert [call(api, "POST", path, b"1")[0] for _ in range(2)] == [202, 400]


@pytest.mark.parametrize("phase", ["init", "restore"])
def test_init_error_is_reported(api: RuntimeApi, phase: str) -> None:
    status, _, _ = call(api, "POST", f"/2018-06-01/runtime/{phase}/error", b'{"errorType":"E"}')

    assert status == 202
    assert events(api, 1) == [ApiEvent("init_error", payload=b'{"errorType":"E"}')]


def test_restore_continues_at_once(api: RuntimeApi) -> None:
    assert call(api, "GET", "/2018-06-01/runtime/restore/next")[0] == 200
    assert api.events.empty()


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/"), ("GET", "/2018-06-01/extension")])
def test_other_paths_are_not_found(api: RuntimeApi, method: str, path: str) -> None:
    assert call(api, method, path)[0] == 404


def test_close_releases_a_waiting_function() -> None:
    refused: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(waiting: RuntimeApi) -> None:
        with pytest.raises((http.client.HTTPException, OSError)):
            call(waiting, "GET", NEXT)
        refused.put(True)

    with RuntimeApi() as closing:
        thread = Thread(target=ask, args=(closing,))
        thread.start()
        events(closing, 1)

    assert refused.get(timeout=10)
    thread.join()
