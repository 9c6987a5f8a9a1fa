"""One invocation: what is known of its event, the time that is left, and the calls that it makes."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from handler.errors import ErrorCategory, EventNotProcessed, ProcessingError
from handler.event import ValidEvent
from handler.outcome import DEADLINE_EXCEEDED, Outcome, OutcomeKind
from handler.retry import Backoff, Budget, call_with_retries
from otel.record import EventRecord
from otel.telemetry import Telemetry


class LambdaContext(Protocol):
    """The part of Lambda's context object that the function uses."""

    aws_request_id: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the invocation times out."""


class Invocation:
    """The state of one invocation, from the delivered event to Lambda's response.

    Args:
        record: The facts that telemetry reports.
        budget: The time that calls may take.
        telemetry: Records attempts and waits.
        jitter: Draws a delay between two bounds, seconds.
    """

    def __init__(
        self, record: EventRecord, budget: Budget, telemetry: Telemetry, jitter: Callable[[float, float], float]
    ) -> None:
        self.record = record
        self._budget = budget
        self._telemetry = telemetry
        self._jitter = jitter
        self._outcome = Outcome(OutcomeKind.RETRY, ErrorCategory.INTERNAL)

    def identify(self, event: ValidEvent) -> None:
        """Put the row that the event is about on the record and on the spans."""
        self.record.event_id = event.event_id
        self.record.envelope_id = event.envelope_id
        self.record.subject = event.key
        self._telemetry.set_event_attributes(self.record)

    def timed[**P, T](self, phase: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function and add the time that it takes to a phase of `timings_ms`."""
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            self.record.add_timing(phase, time.perf_counter() - started)

    def write(self, attempt: Callable[[], Outcome]) -> Outcome:
        """Make the DynamoDB write, with retries, and count it.

        Args:
            attempt: Makes one attempt. Raises `ProcessingError`.

        Raises:
            ProcessingError: Of the last attempt.
        """
        record = self.record

        def counted() -> Outcome:
            # Counted when it begins: the watchdog may have to report an attempt that never ends.
            if record.operations:
                record.retries += 1
            record.operations = 1
            started = time.perf_counter()
            try:
                return attempt()
            except ProcessingError as failure:
                seconds = time.perf_counter() - started
                record.attempt_failed(seconds, failure.category.value, failure.code, failure.throttling_reasons)
                raise
            finally:
                self._telemetry.record_attempt(record, time.perf_counter() - started)

        outcome = self.call(counted)
        record.retry_successes = int(record.retries > 0 and outcome.kind is OutcomeKind.MARKED)
        return outcome

    def call[T](self, attempt: Callable[[], T]) -> T:
        """Make a call, with retries as long as the deadline allows.

        Args:
            attempt: Makes one attempt. Raises `ProcessingError`.

        Raises:
            ProcessingError: Of the last attempt; `timeout` when there is no time for the first.
        """
        self._telemetry.begin_call()
        try:
            return call_with_retries(attempt, budget=self._budget, on_backoff=self._on_backoff, jitter=self._jitter)
        except ProcessingError as failure:
            if failure.category is ErrorCategory.ACCESS_DENIED:
                self.record.access_denied_by = f"{failure.service}: {failure.code}"
            raise

    def unexpected(self, error: Exception) -> ProcessingError:
        """Record an exception that is a defect of ours, and return the failure that it means for the event."""
        self._telemetry.record_exception(self.record, error)
        return ProcessingError(ErrorCategory.INTERNAL, type(error).__name__)

    def finish(self, outcome: Outcome) -> None:
        """Put the outcome on the record."""
        self._outcome = outcome
        record = self.record
        record.outcome = outcome.kind.value
        record.error_category = outcome.category.value if outcome.category else None
        record.error_code = outcome.code
        record.same_event = outcome.same_event
        record.violations = [violation.as_json() for violation in outcome.violations]

    def response(self) -> dict[str, Any]:
        """Return what the function answers to Lambda.

        Raises:
            EventNotProcessed: The event must be delivered again.
        """
        record, outcome = self.record, self._outcome
        if record.timed_out:  # reported as timed out: Lambda must see the same
            raise EventNotProcessed(ErrorCategory.TIMEOUT, record.correlation_id, DEADLINE_EXCEEDED)
        if outcome.kind is OutcomeKind.RETRY:
            category = outcome.category or ErrorCategory.INTERNAL
            reasons = record.throttling_reasons if category is ErrorCategory.THROTTLING else ()
            raise EventNotProcessed(category, record.correlation_id, outcome.code or "", reasons)
        return outcome.as_json(record.correlation_id)

    def _on_backoff(self, backoff: Backoff) -> None:
        self._telemetry.record_backoff(
            self.record, backoff.attempt, backoff.delay, backoff.category.value, backoff.throttling_reasons
        )
