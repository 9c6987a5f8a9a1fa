"""One event, start to end: validation, decision, write, outcome."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from handler.calendar_store import AlreadyProcessed, AuditContext, Decision, Marked, NoSuchRow, Transaction
from handler.classification import ErrorCategory
from handler.correlation import resolve_correlation_id
from handler.dead_letters import DeadLetter, DeadLetterQueue
from handler.errors import AwsCallError, EventNotProcessed
from handler.event import EarningsEvent, InvalidEventError, parse_event
from handler.outcome import Outcome, OutcomeKind
from handler.retry import Backoff, Budget, call_with_retries, uniform
from handler.settings import Settings
from handler.validation import format_utc
from otel.library_logs import location
from otel.record import EventRecord
from otel.telemetry import Telemetry
from otel.tracing import set_event_attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class LambdaContext(Protocol):
    """What is used of Lambda's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out."""


class Processor:
    """The function: brings every event to exactly one outcome."""

    def __init__(
        self,
        settings: Settings,
        *,
        dynamodb: "DynamoDBClient",
        dead_letters: DeadLetterQueue,
        telemetry: Telemetry,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[float, float], float] = uniform,
    ) -> None:
        """Put the parts together.

        Args:
            settings: what was read from the environment.
            dynamodb: makes the write.
            dead_letters: takes what cannot succeed.
            telemetry: told of everything.
            now: the time of day, UTC.
            jitter: draws a delay between two bounds, seconds.
        """
        self._settings = settings
        self._dynamodb = dynamodb
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._now = now
        self._jitter = jitter
        self._cold = True

    def __call__(self, event: object, context: LambdaContext) -> dict[str, Any]:
        """Process one event.

        Args:
            event: what Lambda delivered: any JSON value.
            context: Lambda's context of the invocation.

        Returns:
            The outcome as JSON.

        Raises:
            EventNotProcessed: when the event must be delivered again.
        """
        correlation = resolve_correlation_id(event, context.aws_request_id)
        record = EventRecord(
            request_id=context.aws_request_id,
            correlation_id=correlation.id,
            correlation_replaced=correlation.replaced,
            cold_start=self._cold,
            started=time.perf_counter(),
        )
        self._cold = False
        budget = Budget(lambda: context.get_remaining_time_in_millis() / 1000, self._settings.attempt_timeout)
        with self._telemetry.event(record, _traceparent(event), budget.remaining()):
            outcome = self._process(event, record, budget)
            record.outcome = outcome.kind.value
            record.error_category = outcome.category.value if outcome.category else None
            record.error_code = outcome.code
            record.same_event = outcome.same_event
            record.violations = [violation.as_json() for violation in outcome.violations]
        if record.timed_out:  # reported as timed out: Lambda must see the same
            raise EventNotProcessed(ErrorCategory.TIMEOUT, record.correlation_id, "DeadlineExceeded")
        if outcome.kind is OutcomeKind.RETRY:
            throttled = outcome.category is ErrorCategory.THROTTLING
            raise EventNotProcessed(
                outcome.category or ErrorCategory.INTERNAL,
                record.correlation_id,
                outcome.code or "",
                record.throttling_reasons if throttled else (),
            )
        return outcome.as_json(record.correlation_id)

    def _process(self, event: object, record: EventRecord, budget: Budget) -> Outcome:
        try:
            outcome, message = self._mark(event, record, budget)
            if outcome.category is not None and not outcome.category.transient:
                return self._dead_letter(outcome, message, event, record, budget)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose the event
            record.exception_type = type(error).__name__
            record.exception_at = location(error.__traceback__)
            return Outcome(OutcomeKind.RETRY, ErrorCategory.INTERNAL, type(error).__name__)
        return outcome

    def _mark(self, event: object, record: EventRecord, budget: Budget) -> tuple[Outcome, str]:
        """Validate and write; the outcome, and what is wrong in words that hold no value from the event."""
        started = time.perf_counter()
        try:
            valid = parse_event(event, source=self._settings.event_source)
        except InvalidEventError as invalid:
            category = ErrorCategory.VALIDATION
            outcome = Outcome(OutcomeKind.DEAD_LETTERED, category, "InvalidEvent", violations=invalid.violations)
            return outcome, str(invalid)
        finally:
            record.add_timing("validate", time.perf_counter() - started)
        record.event_id = valid.event_id
        record.asset_symbol = valid.asset_symbol
        record.earnings_date = valid.earnings_date
        set_event_attributes(record)
        try:
            decision = self._write(valid, record, budget)
        except AwsCallError as failed:
            _record_access_denied(record, "DynamoDB", failed)
            kind = OutcomeKind.RETRY if failed.category.transient else OutcomeKind.DEAD_LETTERED
            return Outcome(kind, failed.category, failed.code), f"DynamoDB refused the write: {failed.code}"
        match decision:
            case NoSuchRow():
                outcome = Outcome(OutcomeKind.DEAD_LETTERED, ErrorCategory.NOT_FOUND, "NoSuchRow")
                return outcome, f"no row for {valid.asset_symbol} on {valid.earnings_date} in the calendar"
            case AlreadyProcessed(same_event):
                return Outcome(OutcomeKind.DUPLICATE, same_event=same_event), ""
            case _:
                return Outcome(OutcomeKind.MARKED), ""

    def _write(self, event: EarningsEvent, record: EventRecord, budget: Budget) -> Decision:
        provenance = AuditContext(
            correlation_id=record.correlation_id,
            request_id=record.request_id,
            trace_id=record.trace_id,
            function_version=self._settings.function_version,
            recorded_at=format_utc(self._now()),
        )
        tables = (self._settings.calendar_table, self._settings.audit_table)
        transaction = Transaction(self._dynamodb, tables, event, provenance)

        def attempt() -> Decision:
            # Counted as it begins: the watchdog may have to report an attempt that never ends.
            if record.operations:
                record.retries += 1
            record.operations = 1
            started = time.perf_counter()
            try:
                return transaction.attempt()
            except AwsCallError as failed:
                record.throttled(failed.throttling_reasons)
                raise
            finally:
                self._telemetry.record_attempt(record, time.perf_counter() - started)

        decision = self._call(attempt, record, budget)
        record.retry_successes = int(record.retries > 0 and isinstance(decision, Marked))
        return decision

    def _dead_letter(
        self, outcome: Outcome, message: str, event: object, record: EventRecord, budget: Budget
    ) -> Outcome:
        assert outcome.category is not None  # noqa: S101 - only failures come here
        letter = DeadLetter(
            event, outcome.category, message, record.correlation_id, record.request_id, record.throttling_reasons
        )

        def attempt() -> str:
            started = time.perf_counter()
            try:
                return self._dead_letters.send(letter)
            finally:
                record.add_timing("dead_letter", time.perf_counter() - started)

        try:
            record.dead_letter_id = self._call(attempt, record, budget)
        except AwsCallError as failed:
            _record_access_denied(record, "SQS", failed)
            record.dead_letter_error = str(failed)
            # Lambda's own retries and its on-failure destination are the second net.
            return Outcome(OutcomeKind.RETRY, outcome.category, outcome.code, violations=outcome.violations)
        return outcome

    def _call[T](self, attempt: Callable[[], T], record: EventRecord, budget: Budget) -> T:
        def on_backoff(wait: Backoff) -> None:
            self._telemetry.record_backoff(
                record, wait.attempt, wait.delay, wait.category.value, wait.throttling_reasons
            )

        return call_with_retries(attempt, budget=budget, on_backoff=on_backoff, jitter=self._jitter)


def _record_access_denied(record: EventRecord, service: str, failed: AwsCallError) -> None:
    if failed.category is ErrorCategory.ACCESS_DENIED:
        record.access_denied_by = f"{service}: {failed.code}"


def _traceparent(event: object) -> object:
    detail = event.get("detail") if isinstance(event, Mapping) else None
    # The one field whose two spellings differ by a letter's case alone.
    return detail.get("traceparent") or detail.get("traceParent") if isinstance(detail, Mapping) else None
