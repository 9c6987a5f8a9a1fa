"""The fake store as a process of its own, and its client."""

import http.client
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from emulator.environment import PROJECT_ROOT, REGION
from mep.errors import RunError
from tests.soak.faults import FaultRates
from tests.soak.plan import DATE

MODULE = "tests.soak.fake_aws_server"
_BATCH = 25
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class FakeAwsPorts:
    """The ports of the fake on loopback.

    Attributes:
        http: DynamoDB's API, and SQS's with faults.
        udp: Takes spans.
    """

    http: int
    udp: int

    @property
    def url(self) -> str:
        """URL of the APIs."""
        return f"http://127.0.0.1:{self.http}"


@contextmanager
def fake_aws(
    queue_url: str, rates: FaultRates, seed: int, *, dynamodb_url: str | None = None, module: str = MODULE
) -> Iterator[FakeAwsPorts]:
    """Run the fake for the length of a `with` block; it ends with this process.

    Args:
        queue_url: URL of the SQS that calls are forwarded to.
        rates: Rates of the faults.
        seed: Seed of the faults.
        dynamodb_url: URL of a DynamoDB that calls are forwarded to; None for a store of its own.
        module: The module to run.

    Raises:
        RunError: It did not start.
    """
    settings = {"queue": queue_url, "dynamodb": dynamodb_url, "rates": asdict(rates), "seed": seed}
    options = orjson.dumps(settings).decode()
    command = [sys.executable, "-m", module, options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT_ROOT, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ports = process.stdout.readline()
            if not ports:
                raise RunError("the soak's store did not start: what it printed is above")
            yield FakeAwsPorts(**orjson.loads(ports))
        finally:
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


class FakeAwsClient:
    """Calls that are many, or that no AWS SDK knows.

    Args:
        ports: The ports of the fake.
    """

    def __init__(self, ports: FakeAwsPorts) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", ports.http, timeout=60)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def call(self, target: str, request: Any = None) -> Any:
        """Make a call; returns the reply's JSON.

        Args:
            target: The call's `X-Amz-Target`.
            request: Its parameters.

        Raises:
            RunError: It was refused, or nobody is there.
        """
        scope = f"local/20250101/{REGION}/dynamodb/aws4_request"
        headers = {
            "X-Amz-Target": target,
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }
        try:
            self._connection.request("POST", "/", orjson.dumps(request or {}), headers)
            reply = self._connection.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise RunError(f"the soak's store does not answer: {type(error).__name__}") from error
        if reply.status != http.HTTPStatus.OK:
            raise RunError(f"the soak's store refuses {target}: {body[:200]!r}")
        return orjson.loads(body)

    def load(self, table: str, symbols: Sequence[str]) -> None:
        """Put a calendar row for each symbol."""
        for start in range(0, len(symbols), _BATCH):
            puts = [
                {
                    "PutRequest": {
                        "Item": {
                            "asset_symbol": {"S": symbol},
                            "earnings_date": {"S": DATE},
                            "is_processed": {"BOOL": False},
                            "estimated_eps": {"N": "1.25"},
                        }
                    }
                }
                for symbol in symbols[start : start + _BATCH]
            ]
            self.call("DynamoDB_20120810.BatchWriteItem", {"RequestItems": {table: puts}})

    def scan(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield every item of a table as DynamoDB has it."""
        more: dict[str, Any] = {}
        while True:
            page = self.call("DynamoDB_20120810.Scan", {"TableName": table, "ConsistentRead": True, **more})
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@contextmanager
def fake_aws_client(ports: FakeAwsPorts) -> Iterator[FakeAwsClient]:
    """A client for the length of a `with` block."""
    with closing(FakeAwsClient(ports)) as client:
        yield client
