"""Fixtures of the telemetry tests. They leave the process unchanged, because the order of tests is random."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import boto3
import pytest

from handler.outcome import INSTRUMENTATION
from otel.exporters.xray_udp import XRayUdpExporter
from otel.telemetry import Telemetry
from otel.tracing.provider import create_tracing
from otel.tracing.tracing import Tracing
from otel.watchdog import Watchdog
from tests.support.telemetry import Output, output_file, telemetry_settings
from tests.support.udp import SpanSocket, span_socket

_LEAKS_IN = ("AWS_", "OTEL_", "_X_AMZN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "ENVIRONMENT")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables of the machine: each test sets its own."""
    for name in list(os.environ):
        if name.upper().startswith(_LEAKS_IN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it caches the first credentials


@pytest.fixture
def spans() -> Iterator[SpanSocket]:
    with span_socket() as listening:
        yield listening


@pytest.fixture
def output() -> Iterator[Output]:
    with output_file() as out:
        yield out


@pytest.fixture
def new_tracing(spans: SpanSocket) -> Iterator[Callable[[], Tracing]]:
    """Create tracing that exports to `spans`, after the test has set variables."""
    with ExitStack() as stack:

        def make() -> Tracing:
            exporter = XRayUdpExporter(spans.address)
            stack.callback(exporter.close)
            return create_tracing(telemetry_settings(), INSTRUMENTATION, exporter)

        yield make


@pytest.fixture
def tracing(new_tracing: Callable[[], Tracing]) -> Tracing:
    return new_tracing()


@pytest.fixture(scope="session")
def idle_watchdog() -> Watchdog:
    """A watchdog for tests without a deadline: one, since its thread lives as long as the process."""
    return Watchdog()


class NewTelemetry(Protocol):
    """Creates telemetry that writes to the output of the test, with low memory use and no watchdog action."""

    def __call__(self, tracing: Tracing | None, **changes: Any) -> Telemetry:
        """Create telemetry with other parts."""


@pytest.fixture
def new_telemetry(output: Output, idle_watchdog: Watchdog) -> NewTelemetry:
    def make(tracing: Tracing | None, **changes: Any) -> Telemetry:
        parts: dict[str, Any] = {
            "write": output.write,
            "init_duration_ms": 321.0,
            "watchdog": idle_watchdog,
            "used_mb": lambda: 50.0,
            "settings": telemetry_settings(),
            **changes,
        }
        return Telemetry(parts.pop("settings"), INSTRUMENTATION, tracing=tracing, **parts)

    return make


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, restored afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
