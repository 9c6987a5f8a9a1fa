"""The facts of one event while it is processed: in the cheapest form, encoded when the event ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

MAX_REASONS = 5
"""Limit on the throttling reasons of one event: a transaction over two tables and an index has no more."""

MAX_FAILED_ATTEMPTS = 20
"""Limit on the failed attempts in the log line of one event."""


@dataclass(slots=True, repr=False, eq=False)  # each generated method costs the cold start its compilation
class EventRecord:
    """The facts of one event: the function writes them, telemetry reports them.

    Attributes:
        correlation_id: The ID that every span, line and metric of the event carries.
        correlation_replaced: Whether that ID was generated, because the event had none that is valid.
        cold_start: Whether this is the first event of the sandbox.
        started: Start of processing, seconds on the monotonic clock.
        trace_id: Trace ID of the root span, 32 hex digits; None without tracing.
        span_id: Span ID of the root span, 16 hex digits.
        trace_sampled: Whether the trace is sampled; None without tracing.
        invoked_arn: ARN of the function by which it was invoked; empty where there is none.
        event_id: The event's ID; None until it is validated.
        envelope_id: The ID that the bus gave the event, if the event's own is another.
        subject: What the event is about, by `Instrumentation.subject_keys`; empty until it is validated.
        operations: DynamoDB writes; 0 if there was no time for one attempt.
        latencies_ms: Duration of each DynamoDB attempt.
        failed_attempts: What is known of each attempt that failed, in the form of the log line.
        delays_ms: Duration of each wait before the next attempt, for any service.
        retries: DynamoDB attempts beyond the first.
        retry_successes: Operations that succeeded after a retry.
        timings_ms: Milliseconds by phase: validate, write, backoff, dead_letter, flush.
        outcome: One of `Instrumentation.outcomes`; None while the event is processed.
        error_category: Category of the final error; None without one.
        error_code: Code of the final error.
        throttling_reasons: Why DynamoDB throttled attempts for this event, each as `REASON RESOURCE`.
        same_event: For a duplicate: whether it is a redelivery.
        violations: For an invalid event: every violation, as a JSON object.
        dead_letter_id: SQS message ID of the dead letter.
        dead_letter_error: Why the dead letter was not sent.
        access_denied_by: The service that denied access, with its error code; None if none did.
        exception_type: For a defect: class of the exception.
        exception_at: For a defect: file and line.
        timed_out: Whether the deadline was reached first: the watchdog has reported the event as timed out.
    """

    request_id: str
    correlation_id: str
    correlation_replaced: bool
    cold_start: bool
    started: float
    trace_id: str | None = None
    span_id: str | None = None
    trace_sampled: bool | None = None
    invoked_arn: str = ""
    event_id: str | None = None
    envelope_id: str | None = None
    subject: Mapping[str, str] = field(default_factory=dict)
    operations: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    failed_attempts: list[dict[str, object]] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    retries: int = 0
    retry_successes: int = 0
    timings_ms: dict[str, float] = field(default_factory=dict)
    linked_trace_id: str | None = None
    outcome: str | None = None
    error_category: str | None = None
    error_code: str | None = None
    throttling_reasons: tuple[str, ...] = ()
    same_event: bool | None = None
    violations: list[dict[str, str]] = field(default_factory=list)
    dead_letter_id: str | None = None
    dead_letter_error: str | None = None
    access_denied_by: str | None = None
    exception_type: str | None = None
    exception_at: str | None = None
    timed_out: bool = False
    _closing: Lock = field(default_factory=Lock)
    _reporting: Lock = field(default_factory=Lock)

    def try_close(self) -> bool:
        """Claim the right to end the event; return True for the first caller only.

        The event's own thread and the watchdog both call this. Only the first of the two reports, so that each event
        is counted once.
        """
        return self._closing.acquire(blocking=False)

    @property
    def needs_a_trace(self) -> bool:
        """Whether a person may have to look into the event: it failed, or a second event was for the same subject."""
        return self.error_category is not None or self.same_event is False

    @property
    def closed(self) -> bool:
        """Whether the event has ended."""
        return self._closing.locked()

    def try_report(self) -> bool:
        """Claim the right to write the event's line and metrics; return True for the first caller only."""
        return self._reporting.acquire(blocking=False)

    def attempt_failed(self, seconds: float, category: str, code: str, reasons: Sequence[str] = ()) -> None:
        """Retain what is known of a DynamoDB attempt that failed.

        Args:
            seconds: Duration of the attempt.
            category: Error category.
            code: AWS's error code, or the class of an exception.
            reasons: Why DynamoDB throttled it; each is retained once, at most `MAX_REASONS` of one event.
        """
        if reasons:
            self.throttling_reasons = tuple(dict.fromkeys((*self.throttling_reasons, *reasons)))[:MAX_REASONS]
        if len(self.failed_attempts) < MAX_FAILED_ATTEMPTS:
            attempt = {"latency_ms": round(seconds * 1000, 3), "error_category": category, "error_code": code}
            self.failed_attempts.append({**attempt, **({"throttling_reasons": list(reasons)} if reasons else {})})

    def add_timing(self, phase: str, seconds: float) -> None:
        """Add seconds to a phase of `timings_ms`."""
        self.timings_ms[phase] = self.timings_ms.get(phase, 0.0) + round(seconds * 1000, 3)
