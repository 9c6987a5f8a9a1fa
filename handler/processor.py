"""One event to one outcome: validate it, mark its row, dead-letter what is permanent, raise what is transient."""

import time
from collections.abc import Callable
from typing import Any

from handler.calendar_store import CalendarStore
from handler.dead_letters import DeadLetterQueue
from handler.errors import ProcessingError
from handler.event import parse_event, resolve_correlation_id, traceparent
from handler.invocation import Invocation, LambdaContext
from handler.outcome import Outcome, OutcomeKind
from handler.retry import Budget, uniform
from handler.settings import Settings
from otel.record import EventRecord
from otel.telemetry import Telemetry


class Processor:
    """The function: brings every event to exactly one outcome.

    Args:
        settings: The function's settings.
        calendar: Marks rows.
        dead_letters: Takes the events that fail permanently.
        telemetry: Reports every event.
        jitter: Draws a delay between two bounds, seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        calendar: CalendarStore,
        dead_letters: DeadLetterQueue,
        telemetry: Telemetry,
        jitter: Callable[[float, float], float] = uniform,
    ) -> None:
        self._settings = settings
        self._calendar = calendar
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._jitter = jitter
        self._cold_start = True

    def __call__(self, event: object, context: LambdaContext) -> dict[str, Any]:
        """Process one event.

        Args:
            event: What Lambda delivered: any JSON value.
            context: Lambda's context of the invocation.

        Returns:
            The outcome as JSON.

        Raises:
            EventNotProcessed: The event must be delivered again.
        """
        budget = Budget(lambda: context.get_remaining_time_in_millis() / 1000, self._settings.attempt_timeout)
        invocation = Invocation(self._record(event, context), budget, self._telemetry, self._jitter)
        with self._telemetry.event(invocation.record, traceparent(event), budget.remaining()):
            invocation.finish(self._process(event, invocation))
        return invocation.response()

    def _process(self, event: object, invocation: Invocation) -> Outcome:
        try:
            earnings = invocation.timed("validate", parse_event, event, source=self._settings.event_source)
            invocation.identify(earnings)
            return self._calendar.mark_processed(earnings, invocation)
        except ProcessingError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - a defect of ours must not lose the event
            failure = invocation.unexpected(error)
        if not failure.category.transient:
            try:
                self._dead_letters.send(event, failure, invocation)
                return Outcome.failed(OutcomeKind.DEAD_LETTERED, failure)
            except ProcessingError as error:  # Lambda's retries and its on-failure destination are the next safety net
                invocation.record.dead_letter_error = str(error)
            except Exception as error:  # noqa: BLE001 - as above
                failure = invocation.unexpected(error)
        return Outcome.failed(OutcomeKind.RETRY, failure)

    def _record(self, event: object, context: LambdaContext) -> EventRecord:
        correlation = resolve_correlation_id(event, context.aws_request_id)
        cold_start, self._cold_start = self._cold_start, False
        return EventRecord(
            request_id=context.aws_request_id,
            invoked_arn=context.invoked_function_arn,
            correlation_id=correlation.id,
            correlation_replaced=correlation.replaced,
            cold_start=cold_start,
            started=time.perf_counter(),
        )
