"""What is known of one event while it is processed: facts in the cheapest form, encoded when the event is over."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

MAX_REASONS = 5
"""Bound on the throttling reasons of one event: a transaction over two tables and an index has no more."""


@dataclass(slots=True)
class EventRecord:
    """The facts of one event. The only mutable thing that crosses from processing to telemetry, on purpose.

    Attributes:
        request_id: Lambda's request ID.
        correlation_id: the ID that everything about the event carries.
        correlation_replaced: whether that ID had to be made up.
        cold_start: whether this is the first event of the sandbox.
        started: seconds on the monotonic clock.
        trace_id: of the event's root span, 32 hex digits; None without tracing.
        span_id: of the event's root span, 16 hex digits.
        event_id: the event's ID, once it is known to be valid.
        asset_symbol: the row's partition key, once valid.
        earnings_date: the row's sort key, once valid.
        operations: DynamoDB writes asked for; 0 when there was no time for even one attempt.
        latencies_ms: one figure for each attempt at DynamoDB.
        delays_ms: one figure for each wait before another attempt, whatever service it was for.
        retries: attempts beyond the first, at DynamoDB.
        retry_successes: operations that succeeded after a retry.
        timings_ms: milliseconds by phase: validate, write, backoff, dead_letter, flush.
        outcome: how it ended; None while it has not.
        error_category: the final error's category; None without one.
        error_code: the final error's code.
        throttling_reasons: why DynamoDB throttled this event's attempts, each as `REASON RESOURCE`.
        same_event: for a duplicate: whether it is a redelivery.
        violations: for an invalid event: the broken rules, as JSON objects.
        dead_letter_id: SQS message ID of the dead letter.
        dead_letter_error: why the dead-letter queue could not be reached.
        access_denied_by: the service that denied access, and its code; None if none did.
        exception_type: for a defect: the exception's class.
        exception_at: for a defect: file and line.
        timed_out: whether the deadline came first: the watchdog has reported the event, and it must be tried again.
    """

    request_id: str
    correlation_id: str
    correlation_replaced: bool
    cold_start: bool
    started: float
    trace_id: str | None = None
    span_id: str | None = None
    event_id: str | None = None
    asset_symbol: str | None = None
    earnings_date: str | None = None
    operations: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    retries: int = 0
    retry_successes: int = 0
    timings_ms: dict[str, float] = field(default_factory=dict)
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
    _closing: Lock = field(default_factory=Lock, repr=False)
    _reporting: Lock = field(default_factory=Lock, repr=False)

    def try_close(self) -> bool:
        """Claim the right to say how the event ended; True for the first caller only.

        The event's own thread and the watchdog both come here; whoever is second stays silent, so that every event
        is counted once.
        """
        return self._closing.acquire(blocking=False)

    @property
    def closed(self) -> bool:
        """Whether somebody has closed it."""
        return self._closing.locked()

    def try_report(self) -> bool:
        """Claim the right to write the event's line and metrics; True for the first caller only."""
        return self._reporting.acquire(blocking=False)

    def throttled(self, reasons: Iterable[str]) -> None:
        """Add reasons for which an attempt was throttled; what is known already, and more than a few, is left out."""
        if reasons:  # hardly ever
            self.throttling_reasons = tuple(dict.fromkeys((*self.throttling_reasons, *reasons)))[:MAX_REASONS]

    def add_timing(self, phase: str, seconds: float) -> None:
        """Add time to a phase."""
        self.timings_ms[phase] = self.timings_ms.get(phase, 0.0) + round(seconds * 1000, 3)
