"""What one invocation of the function emitted, decoded."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from emulator.lambda_runtime.span_receiver import SpanDict, decode_datagram
from tests.support.telemetry import json_lines


@dataclass(frozen=True)
class Invoked:
    """One invocation, as seen from outside.

    Attributes:
        answer: The return value; None if it raised.
        error: The exception; None if it returned.
        output: Standard output.
        datagrams: The datagrams to the X-Ray daemon.
        waits: Seconds of each wait before a retry.
        request_id: Lambda's request ID.
        trace_header: Lambda's trace header.
    """

    answer: dict[str, Any] | None
    error: Exception | None
    output: bytes
    datagrams: list[bytes]
    waits: list[float]
    request_id: str
    trace_header: str

    @cached_property
    def logs(self) -> list[dict[str, Any]]:
        """The log lines."""
        return [line for line in json_lines(self.output) if "_aws" not in line]

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The metric lines."""
        return [line for line in json_lines(self.output) if "_aws" in line]

    @cached_property
    def spans(self) -> list[SpanDict]:
        """The spans, in the order they ended."""
        return [span for datagram in self.datagrams for span in decode_datagram(datagram)]

    @property
    def outcome_line(self) -> dict[str, Any]:
        """The one log line with the outcome."""
        (line,) = self.log_lines("event_outcome")
        return line

    @property
    def metric_line(self) -> dict[str, Any]:
        """The one metric line."""
        (line,) = self.metrics
        return line

    @property
    def root(self) -> SpanDict:
        """The span of the event."""
        (span,) = (span for span in self.spans if span["kind"] == "SERVER")
        return span

    def calls(self, operation: str) -> list[SpanDict]:
        """Return the spans of an AWS operation's attempts (`DynamoDB.TransactWriteItems`, `SQS.SendMessage`)."""
        return [span for span in self.spans if span["name"] == operation]

    def log_lines(self, event_type: str) -> list[dict[str, Any]]:
        """Return the log lines of this kind."""
        return [line for line in self.logs if line["event_type"] == event_type]
