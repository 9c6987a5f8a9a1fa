"""The entry point of this package: observes each event and reports its outcome once.

Imports nothing of OpenTelemetry: with tracing off, the process has none of it.
"""

import copy
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from otel import json_logs, memory, semconv
from otel.event_types import EventType
from otel.instrumentation import Instrumentation
from otel.json_logs import JsonLogger
from otel.library_logs import location
from otel.metrics import Metrics
from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.stdout import Writer
from otel.watchdog import Watchdog

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from otel.tracing.tracing import Tracing

REPORT_SECONDS = 1.0
"""Limit on the time that an event waits, after the deadline, for the watchdog to finish its report."""


class Telemetry:
    """Telemetry of one sandbox: spans, metrics, logs and the watchdog.

    Args:
        settings: Telemetry settings.
        instrumentation: The names of the function.
        write: Takes log and metric lines.
        tracing: None if tracing is off.
        init_duration_ms: Duration of the sandbox's start; reported with its first event.
        watchdog: Reports an event that reaches the deadline.
        used_mb: Returns the memory in use, megabytes.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        instrumentation: Instrumentation,
        *,
        write: Writer,
        tracing: "Tracing | None",
        init_duration_ms: float,
        watchdog: Watchdog | None = None,
        used_mb: Callable[[], float] = memory.used_mb,
    ) -> None:
        self.log = JsonLogger(write, settings, instrumentation.subject_keys)
        self._metrics = Metrics(write, settings, instrumentation, init_duration_ms)
        self._outcomes = instrumentation.outcomes
        self._timeout = instrumentation.timeout
        self._defect_category = instrumentation.defect_category
        self._tracing = tracing
        self._watchdog = watchdog or Watchdog()
        self._used_mb = used_mb
        self._memory_mb = settings.memory_mb
        self._shedding = False
        self._deadline_lock = Lock()
        self.current_record: EventRecord | None = None

    def set_init_duration(self, milliseconds: float) -> None:
        """Set what is reported with the first event as the duration of the sandbox's start, after a restore."""
        self._metrics.set_init_duration(milliseconds)

    @contextmanager
    def event(self, record: EventRecord, traceparent: object, remaining_seconds: float) -> Iterator[None]:
        """Observe one event; report it when the block ends, or just before the deadline if that is reached first.

        Args:
            record: The facts of the event, set inside the block; `record.timed_out` is set if the deadline was reached.
            traceparent: `detail.traceparent` as it came.
            remaining_seconds: Time until Lambda's deadline.
        """
        self.current_record = record
        try:
            with self._event_span(record, traceparent) as span:
                self._watchdog.arm(remaining_seconds, partial(self._on_deadline, record, span, remaining_seconds))
                try:
                    yield
                except Exception as error:
                    record.outcome, record.error_category = self._timeout[0], self._defect_category
                    record.error_code = type(error).__name__
                    self.record_exception(record, error)
                    raise
                finally:
                    self._watchdog.disarm()
        except Exception:
            self._end(record, remaining_seconds)
            raise
        self._end(record, remaining_seconds)

    def _end(self, record: EventRecord, remaining_seconds: float) -> None:
        """Report an event whose block has ended, unless the watchdog has."""
        if record.try_close():
            # If the span exporter hangs, the watchdog reports the event with its outcome.
            left = remaining_seconds - (time.perf_counter() - record.started)
            self._watchdog.arm(left, partial(self._report, record))
            self._flush(record, left)
            self._watchdog.disarm()
            self._report(record)
        else:
            record.timed_out = True
            # The sandbox freezes when the invocation returns: not in the middle of the watchdog's report.
            if self._deadline_lock.acquire(timeout=REPORT_SECONDS):
                self._deadline_lock.release()

    def record_exception(self, record: EventRecord, error: Exception) -> None:
        """Record an exception that is a defect of the function: its class and where it came from, never its text."""
        record.exception_type = type(error).__name__
        record.exception_at = location(error.__traceback__)

    def set_event_attributes(self, record: EventRecord) -> None:
        """Set the subject of the event on its spans, as soon as it is known."""
        if self._tracing is not None:
            self._tracing.set_event_attributes(record)

    def record_attempt(self, record: EventRecord, seconds: float) -> None:
        """Record a DynamoDB attempt that has ended, with whatever result.

        Args:
            record: The event.
            seconds: Duration of the attempt.
        """
        latency_ms = round(seconds * 1000, 3)
        record.latencies_ms.append(latency_ms)
        record.add_timing("write", seconds)
        attempt = len(record.latencies_ms)
        self.log.line(json_logs.DEBUG, EventType.ATTEMPT, record, attempt=attempt, timings_ms={"write": latency_ms})

    def record_backoff(
        self, record: EventRecord, attempt: int, delay: float, category: str, throttling_reasons: Sequence[str] = ()
    ) -> None:
        """Record a wait before the next attempt.

        Args:
            record: The event.
            attempt: Number of the attempt that failed, from 1.
            delay: Seconds to wait.
            category: Error category of that attempt.
            throttling_reasons: Why DynamoDB throttled it, where the response has reasons.
        """
        delay_ms = round(delay * 1000, 3)
        record.delays_ms.append(delay_ms)
        record.add_timing("backoff", delay)
        self._count_resends(attempt)
        event: dict[str, Any] = {"attempt": attempt, "delay_ms": delay_ms, semconv.ERROR_CATEGORY_ATTRIBUTE: category}
        if throttling_reasons:
            event[semconv.THROTTLING_REASONS] = throttling_reasons
        if self._tracing is not None:
            self._tracing.add_event(semconv.RETRY_EVENT, event)
        self.log.line(json_logs.WARNING, EventType.RETRY_BACKOFF, record, **event)

    def begin_call(self) -> None:
        """Note that the next attempt is the first one at a call."""
        self._count_resends(0)

    def _count_resends(self, count: int) -> None:
        if self._tracing is not None:
            self._tracing.spans.resends = count

    def _event_span(self, record: EventRecord, traceparent: object) -> "AbstractContextManager[Span | None]":
        if self._tracing is None:
            return nullcontext()
        return self._tracing.event_span(record, traceparent, os.environ)

    def _on_deadline(self, record: EventRecord, span: "Span | None", remaining_seconds: float) -> None:
        """Report an event that has reached the deadline. Runs in the watchdog's thread."""
        with self._deadline_lock:
            if not record.try_close():
                return
            # A copy: the event's own thread may resume and change the record.
            final = copy.copy(record)
            final.outcome, final.error_category, final.error_code = self._timeout
            final.same_event = None
            if span is not None and self._tracing is not None:
                self._tracing.end_spans(span, final)
            self._report(final)
            # Last, in the time that is left: lines do not wait for spans.
            self._flush(final, remaining_seconds - (time.perf_counter() - final.started))

    def _report(self, record: EventRecord) -> None:
        """Write the event's line and metrics, once."""
        if not record.try_report():
            return
        processing_ms = (time.perf_counter() - record.started) * 1000
        used = self._used_mb()
        outcome = record.outcome or self._timeout[0]
        level, message, _ = self._outcomes[outcome]
        self.log.line(
            level,
            EventType.EVENT_OUTCOME,
            record,
            message=message,
            outcome=outcome,
            envelope_id=record.envelope_id,
            **record.subject,
            error_category=record.error_category,
            error_code=record.error_code,
            throttling_reasons=record.throttling_reasons or None,
            same_event=record.same_event,
            violations=record.violations or None,
            attempts=record.operations + record.retries,
            failed_attempts=record.failed_attempts if record.error_category is not None else None,
            trace_sampled=self._is_sampled(record),
            timings_ms={**record.timings_ms, "total": round(processing_ms, 3)},
            correlation_replaced=record.correlation_replaced or None,
            dead_letter_id=record.dead_letter_id,
            dead_letter_error=record.dead_letter_error,
            exception_type=record.exception_type,
            exception_at=record.exception_at,
        )
        if record.access_denied_by is not None:
            self.log.line(
                json_logs.ERROR, EventType.ACCESS_DENIED, record, security=True, error_code=record.access_denied_by
            )
        if not self._metrics.emit(record, processing_ms=processing_ms, memory_used_mb=used):
            self.log.line(json_logs.WARNING, EventType.METRICS_NOT_WRITTEN, kept_lines=self._metrics.pending)
        self._check_memory(record, used)

    def _flush(self, record: EventRecord, left: float) -> None:
        """Export the event's spans.

        Args:
            record: The event.
            left: Seconds until Lambda's deadline; the export may take half of them.
        """
        if self._tracing is None:
            return
        started = time.perf_counter()
        try:
            lost = self._tracing.flush(max(0.0, left / 2), all_sampled=record.needs_a_trace)
        except Exception as error:  # noqa: BLE001 - an exporter must not fail an event
            self._metrics.add_lost_spans(self._tracing.spans.take_dropped())
            self.log.line(json_logs.WARNING, EventType.SPANS_NOT_EXPORTED, record, exception_type=type(error).__name__)
        else:
            if lost:
                self._metrics.add_lost_spans(lost)
                self.log.line(json_logs.WARNING, EventType.SPANS_LOST, record, lost_spans=lost)
        record.add_timing("flush", time.perf_counter() - started)

    def _is_sampled(self, record: EventRecord) -> bool | None:
        """Return whether the event has a sampled trace; None without tracing."""
        sampled = record.trace_sampled
        if sampled is False and self._tracing is not None and self._tracing.spans.can_sample_all:
            return record.needs_a_trace
        return sampled

    def _check_memory(self, record: EventRecord, used: float) -> None:
        if self._shedding or used * 100 <= memory.PRESSURE_PERCENT * self._memory_mb:
            return
        self._shedding = True
        self.log.set_minimum_level(json_logs.INFO)
        if self._tracing is not None:
            self._tracing.spans.shedding = True
        self.log.line(
            json_logs.WARNING,
            EventType.MEMORY_PRESSURE,
            record,
            memory_used_mb=round(used, 1),
            memory_limit_mb=self._memory_mb,
        )
