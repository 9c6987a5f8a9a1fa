"""Builds telemetry's parts for tests and reads what they let out."""

import functools
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastjsonschema
from fastjsonschema import JsonSchemaException
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel.record import EventRecord
from otel.settings import TelemetrySettings
from otel.stdout import fd_writer

TRACE_ID = "5759e988bd862e3fe1be46a994272793"
PARENT_ID = "53995c3f42cd8ad8"
TRACE_HEADER = f"Root=1-{TRACE_ID[:8]}-{TRACE_ID[8:]};Parent={PARENT_ID};Sampled=1"
"""A trace header as Lambda sets it, sampled."""

_EMF_LIMIT_BYTES = 256 * 1024
_EMF_VALUES = 100
_SETTINGS: Mapping[str, Any] = {
    "service": "mark-earnings",
    "environment": "test",
    "function_name": "mark-earnings-processed",
    "function_version": "7",
    "service_version": "0c0ffee",
    "log_stream": "2025/11/23/[7]abcdef",
    "log_group": "/aws/lambda/mark-earnings-processed",
    "region": "us-east-1",
    "memory_mb": 128,
    "log_level": 20,
    "tracing": True,
    "adot_fast_start": False,
    "otlp": None,
    "parent_source": "lambda",
    "daemon": ("127.0.0.1", 2000),
}
_numbers = itertools.count(1)


def telemetry_settings(**changes: Any) -> TelemetrySettings:
    """Settings with sensible values, some changed."""
    return TelemetrySettings(**{**_SETTINGS, **changes})


def event_record(**changes: Any) -> EventRecord:
    """A record as it is when an event begins, some facts changed."""
    number = next(_numbers)
    facts: dict[str, Any] = {
        "request_id": f"request-{number}",
        "correlation_id": f"correlation-{number}",
        "correlation_replaced": False,
        "cold_start": False,
        "started": time.perf_counter(),
    }
    return EventRecord(**{**facts, **changes})


class Output:
    """Where log and metric lines go in a test: a real file, through the product's own writer."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.write = fd_writer(fd)

    def raw(self) -> bytes:
        """All bytes so far."""
        size = os.fstat(self._fd).st_size
        return os.pread(self._fd, size, 0)

    def lines(self) -> list[dict[str, Any]]:
        """Every line so far, decoded; each must be a JSON object."""
        return json_lines(self.raw())

    def logs(self) -> list[dict[str, Any]]:
        """The lines that are not metrics."""
        return [line for line in self.lines() if "_aws" not in line]

    def metrics(self) -> list[dict[str, Any]]:
        """The lines in the embedded metric format."""
        return [line for line in self.lines() if "_aws" in line]

    def clear(self) -> None:
        """Forget what was written."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)


@contextmanager
def output_file() -> Iterator[Output]:
    """An empty file to write to."""
    with tempfile.TemporaryFile() as file:
        yield Output(file.fileno())


def json_lines(data: bytes) -> list[dict[str, Any]]:
    """Decode lines of JSON objects, as Lambda cuts them: at newlines only.

    Raises:
        ValueError: Where a line is not one.
    """
    if data and not data.endswith(b"\n"):
        raise ValueError("the last line is not finished")
    decoded = [json.loads(line) for line in data.split(b"\n")[:-1]]
    if not all(isinstance(line, dict) for line in decoded):
        raise ValueError("a line is not a JSON object")
    return decoded


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """OTLP's attributes as a plain dict."""
    return {pair.key: _plain(pair.value) for pair in pairs}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    return getattr(value, kind)


def check_emf(document: Mapping[str, Any]) -> None:
    """Hold one line against the embedded metric format.

    Raises:
        JsonSchemaException: It violates the published schema, or one of the rules that a schema cannot express:
            every name that is referred to exists, dimensions are strings of at most 1,024 characters, metrics are
            numbers or lists of at most 100, and the document is no larger than CloudWatch Logs accepts.
    """
    _schema()(document)
    if len(json.dumps(document)) > _EMF_LIMIT_BYTES:
        raise JsonSchemaException("the document is too large")
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimension in itertools.chain.from_iterable(directive["Dimensions"]):
            text = document.get(dimension)
            if not isinstance(text, str) or not 0 < len(text) <= 1024:
                raise JsonSchemaException(f"dimension {dimension} is not a text")
        for definition in directive["Metrics"]:
            found = document.get(definition["Name"])
            values = found if isinstance(found, list) else [found]
            numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
            if not numeric or not 0 < len(values) <= _EMF_VALUES:
                raise JsonSchemaException(f"metric {definition['Name']} is not a number, nor 1 to 100 of them")


@functools.cache
def _schema() -> Callable[[Mapping[str, Any]], object]:
    schema = json.loads((Path(__file__).parent / "emf-schema.json").read_text())
    validate: Callable[[Mapping[str, Any]], object] = fastjsonschema.compile(schema)
    return validate


def emf_values(documents: Iterable[Mapping[str, Any]], metric: str) -> list[float]:
    """Every value of a metric, in order, as CloudWatch would extract them from these lines."""
    found: list[float] = []
    for document in documents:
        named = {entry["Name"] for each in document["_aws"]["CloudWatchMetrics"] for entry in each["Metrics"]}
        if metric in named:
            value = document[metric]
            found.extend(value if isinstance(value, list) else [value])
    return found


@contextmanager
def botocore_instrumentation(switch_on: Callable[[], None]) -> Iterator[None]:
    """Run a block with botocore instrumented by `switch_on`, and certainly not instrumented afterwards.

    The instrumentor is one for the whole process, and refuses to be switched on twice.
    """
    instrumentor: Any = BotocoreInstrumentor()  # type: ignore[no-untyped-call]

    def switch_off() -> None:
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()

    switch_off()
    switch_on()
    try:
        yield
    finally:
        switch_off()


class FakeClock:
    """A monotonic clock that moves only when it is advanced."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def eventually(condition: Callable[[], bool], within_seconds: float = 60) -> None:
    """Wait for another thread's work to show.

    Raises:
        TimeoutError: When it does not.
    """
    end = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        time.sleep(0.002)
