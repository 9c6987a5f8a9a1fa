"""A folder of a run with metric lines of the function's own writer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from handler.outcome import INSTRUMENTATION
from otel.metrics import Metrics
from tests.support.telemetry import event_record, telemetry_settings

EVENTS: tuple[Mapping[str, Any], ...] = (
    *({"outcome": "marked", "operations": 1, "latencies_ms": [4.0], "cold_start": not number} for number in range(6)),
    {"outcome": "duplicate", "same_event": False, "operations": 1, "latencies_ms": [5.0]},
    {"outcome": "marked", "operations": 1, "retries": 2, "retry_successes": 1, "delays_ms": [1000.0, 2000.0]},
    {"outcome": "dead_lettered", "error_category": "validation"},
    {"outcome": "retry", "error_category": "throttling", "operations": 1, "retries": 4},
)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out <i>"
    folder.mkdir()
    lines: list[bytes] = []
    metrics = Metrics(lines.append, telemetry_settings(), INSTRUMENTATION, init_duration_ms=300)
    for number, facts in enumerate(EVENTS):
        metrics.emit(event_record(**facts), processing_ms=10 + number, memory_used_mb=64)
    documents = [orjson.loads(line) for line in lines]
    for number, document in enumerate(documents):
        document["_aws"]["Timestamp"] = 1_785_000_000_000 + 1000 * number
    (folder / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    point = {
        "timestamp": "2026-07-25T17:20:00Z",
        "namespace": "AWS/Lambda",
        "metric": "Invocations",
        "dimensions": {"FunctionName": "any"},
        "unit": "Count",
        "sum": len(EVENTS),
        "sample_count": len(EVENTS),
        "minimum": 1,
        "maximum": 1,
    }
    (folder / "logs.jsonl").write_bytes(b"")
    (folder / "platform.jsonl").write_bytes(orjson.dumps(point) + b"\n")
    return folder
