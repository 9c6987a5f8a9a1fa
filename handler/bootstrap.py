"""The composition root: creates the function's parts once, when the sandbox starts. `handler.app` calls it."""

import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError

from handler.aws import credentials_of, dynamodb_client, sqs_client
from handler.calendar_store import CalendarStore
from handler.classification import classify_exception, classify_response
from handler.dead_letters import DeadLetterQueue
from handler.errors import SettingsError
from handler.outcome import INSTRUMENTATION
from handler.processor import Processor
from handler.settings import Settings, load_settings
from handler.startup import refused_by_opentelemetry, reported
from otel.library_logs import redirect_library_logs
from otel.stdout import Writer
from otel.telemetry import Telemetry

_CHECKED = frozenset(
    {
        "AWS_ACCOUNT_ID",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
    }
)
"""Variables with which a client can be created that cannot make any call."""


def create_processor(
    environ: Mapping[str, str], write: Writer, started: float | None = None, settings: Settings | None = None
) -> Processor:
    """Create the function.

    Args:
        environ: The environment.
        write: Writes log and metric lines.
        started: Begin of the start, on `time.perf_counter`; None for now.
        settings: Those of `environ`; None to read them here.

    Raises:
        SettingsError: Names every setting that is missing or invalid.
    """
    started = time.perf_counter() if started is None else started
    settings = load_settings(environ) if settings is None else settings
    tracing = None
    if settings.telemetry.tracing:  # without it, nothing of OpenTelemetry is loaded
        from otel.tracing import start_tracing
        from otel.tracing.botocore import instrument

        try:
            # The client is created below, and the first export comes after it.
            tracing = start_tracing(settings.telemetry, INSTRUMENTATION, lambda: credentials_of(dynamodb))
        except Exception as error:
            raise SettingsError([refused_by_opentelemetry(error, environ)], settings.telemetry) from error
        instrument(tracing.client_tracer_provider, classify_response, classify_exception)
    try:
        dynamodb = dynamodb_client(settings)
    except (BotoCoreError, OSError, OverflowError, ValueError) as error:  # of a setting, and not a defect
        from handler.client_problems import problem_of

        raise SettingsError([problem_of(error, environ)], settings.telemetry) from error
    if _unusual(environ, dynamodb.meta.config):
        from handler.client_problems import check

        check(dynamodb, settings, environ)

    def dead_letter_client() -> Any:
        client = sqs_client(settings)
        if tracing is not None:
            from otel.tracing.botocore import propagate_from_current_span

            propagate_from_current_span(client)
        return client

    telemetry = Telemetry(
        settings.telemetry,
        INSTRUMENTATION,
        write=write,
        tracing=tracing,
        init_duration_ms=(time.perf_counter() - started) * 1000,
    )
    redirect_library_logs(telemetry.log, lambda: telemetry.current_record)
    dead_letters = DeadLetterQueue(dead_letter_client, settings.dead_letter_queue_url)
    if settings.telemetry.snap_start:
        from handler.snapshot.hooks import SnapshotHooks

        hooks = SnapshotHooks(
            settings, dynamodb=dynamodb, dead_letters=dead_letters, telemetry=telemetry, tracing=tracing, write=write
        )
        hooks.register()
    return Processor(
        settings, calendar=CalendarStore(dynamodb, settings), dead_letters=dead_letters, telemetry=telemetry
    )


def _unusual(environ: Mapping[str, str], config: Any) -> bool:
    """Return whether an endpoint may not exist or the expiration of credentials may be invalid. Lambda sets neither."""
    return (
        not _CHECKED.isdisjoint(environ)
        or config.use_fips_endpoint
        or config.use_dualstack_endpoint
        or config.account_id_endpoint_mode == "required"
    )


def start_or_exit(
    environ: Mapping[str, str], write: Writer, started: float, settings: Settings | None = None
) -> Processor:
    """Create the function; on failure, write one log line and end the process, without a stack trace.

    Raises:
        SystemExit: A setting is missing or invalid, or a library raised.
    """
    with reported(environ, write):
        return create_processor(environ, write, started, settings)
