"""What one invocation of the function let out, decoded."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from emulator.lambda_runtime.span_receiver import SpanDict, decode_datagram
from tests.support.telemetry import json_lines


@dataclass(frozen=True)
class Invoked:
    """What one invocation did, as seen from outside.

    Attributes:
        answer: what it returned; None if it raised.
        error: what it raised.
        output: all that it wrote to standard output.
        datagrams: what it sent to the X-Ray agent.
        waits: seconds of each wait before another attempt.
        request_id: Lambda's.
        trace_header: Lambda's.
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
        """The one log line that tells the outcome."""
        (line,) = self.said("event_outcome")
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
        """The spans of an AWS operation's attempts (`DynamoDB.TransactWriteItems`, `SQS.SendMessage`)."""
        return [span for span in self.spans if span["name"] == operation]

    def said(self, event_type: str) -> list[dict[str, Any]]:
        """The log lines of this kind."""
        return [line for line in self.logs if line["event_type"] == event_type]
