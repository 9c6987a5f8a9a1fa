"""A sandbox that is frozen between signing a request and sending it, as Lambda freezes one: by stopping its process."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

import orjson

from emulator.faults import Exchange, Fault, FaultProxy, Reply
from tests.integration.harness import Services
from tests.support.events import DATE, unique_event
from tests.support.harness import function_environ
from tests.support.sandbox import sandbox_process

STAMP = "%Y%m%dT%H%M%SZ"
FREEZE_SECONDS = 2
"""`X-Amz-Date` counts whole seconds: what was signed before is older than the thaw by that clock too."""

_SIGNATURE = re.compile(r"Signature=([0-9a-f]{64})\Z")


@dataclass
class Clerk:
    """Looks at each request's date as AWS does, with less patience.

    Attributes:
        oldest: What was signed before is refused.
        refused: How often that was.
    """

    oldest: datetime
    refused: int = 0

    def check(self, exchange: Exchange) -> None:
        """Refuse a request, or let it pass."""
        signed = exchange.request.headers["x-amz-date"]
        if datetime.strptime(signed, STAMP).replace(tzinfo=UTC) >= self.oldest:
            exchange.reply(exchange.forward())
            return
        self.refused += 1
        message = f"Signature expired: {signed} is now earlier than {self.oldest:{STAMP}} (s3ntinel - 5 min.)"
        body = {"__type": "com.amazon.coral.service#InvalidSignatureException", "message": message}
        exchange.reply(Reply(400, orjson.dumps(body), {"Content-Type": "application/x-amz-json-1.0"}))


@contextmanager
def thawed_later(pid: int, clerk: Clerk) -> Iterator[None]:
    """Let a process go on some time after it has stopped; nothing signed before that will do."""
    over = Event()

    def thaw() -> None:
        while os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is None:
            if over.wait(0.01):
                return
        time.sleep(FREEZE_SECONDS)
        clerk.oldest = datetime.now(UTC).replace(microsecond=0)
        os.kill(pid, signal.SIGCONT)

    with ThreadPoolExecutor(1) as pool:
        thawing = pool.submit(thaw)
        try:
            yield
        finally:
            over.set()
        thawing.result()


def test_what_was_signed_before_the_freeze_is_signed_again(services: Services) -> None:
    event = unique_event()
    symbol = event["detail"]["asset_symbol"]
    services.tables.put_row(symbol, DATE)
    clerk = Clerk(oldest=datetime.now(UTC).replace(microsecond=0))
    with FaultProxy(services.tables.url, otherwise=Fault("clerk", clerk.check)) as proxy:
        given = function_environ(services.tables, services.queue, AWS_ENDPOINT_URL_DYNAMODB=proxy.url)
        with sandbox_process(given, handler="tests.support.wrapping_handlers.frozen_after_signing") as sandbox:
            sandbox.worker.start()
            pid = sandbox.worker.pid
            assert pid is not None
            with thawed_later(pid, clerk):
                result = sandbox.invoke(event)
        first, second = (recorded.request for recorded in proxy.requests)

    assert orjson.loads(result.payload) == {
        "outcome": "marked",
        "correlation_id": event["detail"]["correlation_id"],
    }, "not dead-lettered as access_denied"
    assert clerk.refused == 1
    assert first.headers["x-amz-date"] < second.headers["x-amz-date"]
    signatures = [_SIGNATURE.search(request.headers["authorization"]) for request in (first, second)]
    assert all(signatures)
    assert len({match[1] for match in signatures if match}) == 2
    assert first.body == second.body, "the same transaction, with its token"
    assert len(services.tables.audit(symbol, DATE)) == 1
    (wait,) = [line for line in sandbox.logs if "delay_ms" in line]
    assert (wait["attempt"], wait["error_category"]) == (1, "network")
    assert not [line for line in sandbox.logs if line.get("security")]
    assert sandbox.metrics[-1].get("SecurityErrors", 0) == 0
    assert "s3ntinel" not in "".join((*sandbox.stdout, *sandbox.stderr)) + str(sandbox.spans)
