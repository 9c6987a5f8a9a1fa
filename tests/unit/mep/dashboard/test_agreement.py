"""Every widget agrees with `summary.json`, however many events the run had."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from emulator.lambda_runtime.worker import InvocationResult, Status
from emulator.pipeline.model import DeliveryCounters, DeliveryResult, Disposition
from emulator.pipeline.platform_metrics import PlatformMetrics, queue_data_points
from handler.outcome import INSTRUMENTATION
from mep.dashboard.page import page
from mep.dashboard.run import RunMetrics, read_run
from mep.local.summary import RunCounter
from monitoring.alarm_states import State
from monitoring.dashboard import SECTIONS
from monitoring.model import Kind, Limits, Widget
from otel.metrics import Metrics
from tests.support.telemetry import event_record, telemetry_settings

START = 1_785_000_000
WIDGETS = {widget.title: widget for section in SECTIONS for widget in section.widgets if widget.lines}
KINDS: dict[Disposition, list[dict[str, Any]]] = {
    Disposition.MARKED: [{"outcome": "marked", "operations": 1, "latencies_ms": [4.0]}],
    Disposition.DUPLICATE: [{"outcome": "duplicate", "same_event": False, "operations": 1, "latencies_ms": [5.0]}],
    Disposition.DEAD_LETTERED: [{"outcome": "dead_lettered", "error_category": "validation"}],
    # Lambda invokes the function three times.
    Disposition.ON_FAILURE: [{"outcome": "retry", "error_category": "dynamodb", "operations": 1, "retries": 2}] * 3,
}


def dispositions(count: int) -> Iterator[Disposition]:
    """Yield the outcomes of a run: of 12 events, as in the sample, 5 are dead letters."""
    order = [*[Disposition.MARKED] * 4, *[Disposition.DEAD_LETTERED] * 5, Disposition.DUPLICATE]
    order += [Disposition.DUPLICATE, Disposition.ON_FAILURE]
    for number in range(count):
        yield order[(number + (7 if count == 1 else 0)) % len(order)]  # a run of one event has one dead letter


def write_run(folder: Path, count: int, seconds: float) -> dict[str, Any]:
    """Write the files of a run with the writers of the function and of the emulator; return the summary."""
    lines: list[bytes] = []
    points: list[Any] = []
    now = float(START)
    metrics = Metrics(lines.append, telemetry_settings(), INSTRUMENTATION, init_duration_ms=300)
    platform = PlatformMetrics(lambda: now, points.append, {"AWS/Lambda": {"FunctionName": "f"}})
    counter = RunCounter()
    deliveries = DeliveryCounters(counter.add)
    documents: list[Any] = []
    for number, disposition in enumerate(dispositions(count)):
        now = START + seconds * number / count
        attempts = KINDS[disposition]
        for facts in attempts:
            metrics.emit(event_record(cold_start=number == 0, **facts), processing_ms=10, memory_used_mb=64)
            platform.add("AWS/Lambda", "Invocations")
            platform.add("AWS/Lambda", "Duration", 12.0, "Milliseconds")
            if facts["outcome"] == "retry":
                platform.add("AWS/Lambda", "Errors")
        for line in lines:
            document = orjson.loads(line)
            document["_aws"]["Timestamp"] = int(now * 1000)
            documents.append(document)
        lines.clear()
        last = InvocationResult("ok", b"", "r", 0.01, cold_start=False)
        deliveries.received += 1
        for facts in attempts:
            status: Status = "error" if facts["outcome"] == "retry" else "ok"
            deliveries.attempt(replace(last, status=status))
        deliveries.finish(DeliveryResult(disposition, b"{}", number, attempts=len(attempts), last=last))
    platform.flush()
    points += queue_data_points("http://q/dead", sent=counter.dead_letters, visible=counter.dead_letters, now=now)
    run = counter.summary(elapsed_s=seconds, deliveries=deliveries, spans=0, spans_lost=0, interrupted=False)
    summary = run.as_dict()
    (folder / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in documents))
    (folder / "platform.jsonl").write_bytes(b"".join(orjson.dumps(each.as_dict()) + b"\n" for each in points))
    (folder / "logs.jsonl").write_bytes(b"")
    (folder / "summary.json").write_bytes(orjson.dumps(summary))
    return summary


def sums(run: RunMetrics, title: str) -> dict[str, float]:
    """Return the sum over all periods of each line of a widget that has data."""
    values = {line.label: run.values(line, WIDGETS[title]) for line in WIDGETS[title].lines}
    return {
        label: sum(value or 0 for value in series)
        for label, series in values.items()
        if any(value is not None for value in series)
    }


@pytest.mark.parametrize(("count", "seconds"), [(1, 0), (12, 11.8), (5000, 1500)])
def test_every_widget_agrees_with_the_summary(tmp_path: Path, count: int, seconds: float) -> None:
    summary = write_run(tmp_path, count, seconds)
    run = read_run(tmp_path, Limits())
    lost = summary["dead_lettered"] + summary["retry"]

    assert summary["received"] == count
    expected = {
        "EventsReceived": summary["invocations"],
        "EventsMarked": summary["marked"],
        "EventsDuplicate": summary["duplicate"],
        "EventsDeadLettered": summary["dead_lettered"],
        "EventsRetried": 3 * summary["retry"],
    }
    seen = {name: value for name, value in expected.items() if value}
    assert {line.label: run.total(line) for line in WIDGETS["Events"].lines} == {
        name: value or None for name, value in expected.items()
    }
    assert sums(run, "Outcomes") == {name: value for name, value in seen.items() if name != "EventsReceived"}
    categories = {"validation": summary["dead_lettered"], "dynamodb": 3 * summary["retry"]}
    assert sums(run, "Errors by category") == {name: value for name, value in categories.items() if value}
    assert sums(run, "Messages in the queue")["visible"] == lost
    assert sums(run, "Messages sent, redriven and discarded") == {"sent": lost}
    assert sums(run, "Billed usage")["invocations"] == summary["invocations"]
    assert sums(run, "Cold starts") == {"ColdStarts": 1}
    assert sums(run, "Unreported failures and delayed metrics") == {"unreported failures": 0}
    unprocessed = run.values(WIDGETS["Events not processed"].lines[0], WIDGETS["Events not processed"])
    share = 100 * (summary["dead_lettered"] + 3 * summary["retry"]) / summary["invocations"]
    assert unprocessed == [pytest.approx(share, rel=0.02)] * len(unprocessed)
    burn = run.values(WIDGETS["Error budget burn rate"].lines[0], WIDGETS["Error budget burn rate"])
    assert burn == [pytest.approx(3 * summary["retry"] / summary["invocations"] / 0.005)]
    writes = summary["marked"] + summary["duplicate"] + 3 * summary["retry"]
    assert sums(run, "Retries and successful retries").get("Operations", 0) == writes
    retries = run.values(WIDGETS["Retry rate"].lines[0], WIDGETS["Retry rate"])
    assert retries == [pytest.approx(100 * 6 * summary["retry"] / writes, rel=0.02) if writes else None] * len(retries)


@pytest.mark.parametrize(("count", "seconds"), [(1, 0), (12, 11.8)])
def test_a_widget_without_data_is_marked(tmp_path: Path, count: int, seconds: float) -> None:
    write_run(tmp_path, count, seconds)
    run = read_run(tmp_path, Limits())

    found = page(run, tmp_path)

    for widget in WIDGETS.values():
        if widget.kind is not Kind.NUMBER:
            assert (f'<h3>{widget.title}</h3><p class="dim no-data">no data</p>' in found) != _has_data(run, widget)


def _has_data(run: RunMetrics, widget: Widget) -> bool:
    return any(value is not None for line in widget.lines for value in run.values(line, widget))


def test_the_alarms_of_a_run_with_failures_are_in_alarm(tmp_path: Path) -> None:
    write_run(tmp_path, 12, 11.8)

    states = read_run(tmp_path, Limits()).alarm_states()

    assert {name for name, state in states.items() if state is State.ALARM} == {
        *("error-rate-validation", "error-rate", "processing-failures", "processing-degraded"),
        *("dlq-volume", "dlq-depth", "dlq-arrival", "dead-letters"),
    }
    assert page(read_run(tmp_path, Limits()), tmp_path).count(": ALARM</span>") == 8
