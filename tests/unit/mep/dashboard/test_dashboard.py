"""The preview shows the metrics of a run, as the deployed dashboard defines them."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mep.dashboard.chart import ChartLine, chart, number
from mep.dashboard.page import page
from mep.dashboard.run import RunMetrics, read_run
from monitoring.alarm_states import State
from monitoring.dashboard import SECTIONS
from monitoring.model import Kind, Limits, Line, Widget
from tests.support.command_line import mep
from tests.unit.mep.dashboard.conftest import EVENTS


@pytest.fixture
def run(run_folder: Path) -> RunMetrics:
    return read_run(run_folder, Limits())


def widgets() -> list[Widget]:
    return [widget for section in SECTIONS for widget in section.widgets]


def line(title: str, label: str) -> Line:
    lines = [line for widget in widgets() if widget.title == title for line in widget.lines]
    (match,) = [line for line in lines if line.label == label]
    return match


def test_totals_are_those_of_the_run(run: RunMetrics) -> None:
    totals = {name: run.total(line("Events", name)) for name in ("EventsReceived", "EventsMarked", "EventsRetried")}

    assert totals == {"EventsReceived": len(EVENTS), "EventsMarked": 7, "EventsRetried": 1}
    assert run.total(line("Errors by category", "validation")) == 1
    assert run.total(line("Errors by category", "network")) is None
    assert run.total(line("Processing time per event", "p50")) == 14
    assert run.total(line("Billed usage", "invocations")) == len(EVENTS)


def widget(title: str) -> Widget:
    (match,) = [widget for widget in widgets() if widget.title == title]
    return match


def test_a_short_run_is_one_period(run: RunMetrics) -> None:
    """One event in ten failed for good: below the minimum count of the alarm, and not 0 %."""
    outcomes, ratios = widget("Outcomes"), widget("Events not processed")

    assert run.values(line("Outcomes", "EventsMarked"), outcomes) == [7]
    assert run.values(line("Outcomes", "EventsRetried"), outcomes) == [1]
    assert run.values(line("Events not processed", "processing-failures"), ratios) == [20]
    assert run.values(line("Events not processed", "dynamodb-failures"), ratios) == [pytest.approx(100 / 9)]
    assert run.values(line("Retry rate", "retries"), widget("Retry rate")) == [pytest.approx(100 * 6 / 9)]


def test_the_retry_success_rate_counts_writes_not_attempts(run: RunMetrics) -> None:
    rate = line("Retry success rate", "writes that succeeded after a retry")

    assert run.values(rate, widget("Retry success rate")) == [50], "of two writes, with two and with four retries"


def test_the_cost_depends_on_the_memory(run_folder: Path) -> None:
    cost = line("US dollars per hour, at list prices of us-east-1", "Lambda")

    small, large = (read_run(run_folder, Limits(memory_mb=memory)).total(cost) for memory in (128, 1024))
    assert small == large == pytest.approx(len(EVENTS) * 0.0000002)  # no duration was counted, only requests


def has_data(run: RunMetrics, widget: Widget) -> bool:
    return any(value is not None for line in widget.lines for value in run.values(line, widget))


def test_every_widget_is_on_the_page_in_order(run: RunMetrics, run_folder: Path) -> None:
    found = page(run, run_folder)

    shown = re.findall(r"<h([23])>(.*?)</h\1>", found)
    expected = []
    for section in SECTIONS:
        expected += [("2", section.question), *(("3", widget.title) for widget in section.widgets)]
    assert [(level, text.replace("&#x27;", "'")) for level, text in shown] == expected
    graphs = [widget for widget in widgets() if widget.kind in {Kind.GRAPH, Kind.STACKED} and has_data(run, widget)]
    drawings = re.findall(r"<svg.*?</svg>", found, flags=re.DOTALL)
    assert len(drawings) == len(graphs)
    for drawing in drawings:
        ET.fromstring(drawing)
    others = [widget for widget in widgets() if widget.lines and not has_data(run, widget)]
    assert "Messages in the queue" in {widget.title for widget in others}, "this folder has no metrics of SQS"
    for each in others:
        assert re.search(f"<h3>{each.title}</h3><p [^>]*>no data</p>", found)


def test_the_page_is_self_contained_and_escaped(run: RunMetrics, run_folder: Path) -> None:
    found = page(run, run_folder)

    assert not re.search(r"https?:|\bsrc=|<script|<link|@import|url\(", found)
    assert "default-src 'none'" in found
    assert "out &lt;i&gt;" in found
    assert "<i>" not in found


def test_areas_are_stacked() -> None:
    drawing = chart([ChartLine("a", [1, 1]), ChartLine("b", [None, 2])], stacked=True, threshold=None)

    tops = [
        min(float(pair.split(",")[1]) for pair in points.split()) for points in re.findall(r'points="([^"]+)"', drawing)
    ]
    upper, lower = tops
    floor = 190 - 18
    assert (floor - upper) == pytest.approx(3 * (floor - lower), rel=0.02)


def test_a_single_period_is_as_wide_as_the_graph() -> None:
    for stacked in (False, True):
        drawing = chart([ChartLine("a", [2])], stacked=stacked, threshold=None)
        (points,) = re.findall(r'points="([^"]+)"', drawing)
        across = [float(pair.split(",")[0]) for pair in points.split()]
        assert (min(across), max(across)) == (46, 480 - 46)


def test_alarms_have_the_state_of_the_run(run: RunMetrics, run_folder: Path) -> None:
    in_alarm = {name for name, state in run.alarm_states().items() if state is State.ALARM}
    assert in_alarm == {"dlq-arrival", "dead-letters"}, "one event was dead-lettered"

    found = page(run, run_folder)
    assert found.count('class="alarm') == len(run.alarm_states())


def test_a_threshold_is_drawn() -> None:
    drawing = ET.fromstring(chart([ChartLine("a", [1])], stacked=False, threshold=50))

    (dashed,) = [element for element in drawing if element.get("class") == "threshold"]
    assert 0 < float(dashed.attrib["y1"]) < 190


def test_numbers_are_short() -> None:
    assert [number(value) for value in (None, 0, 0.00001, 0.5, 12.345, 12345.6)] == [
        "–",  # noqa: RUF001 - a dash
        "0",
        "1.0e-05",
        "0.5",
        "12.3",
        "12,346",
    ]


def test_the_command(monkeypatch: pytest.MonkeyPatch, run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "preview.html"

    assert mep(monkeypatch, "dashboard", "--run", run_folder, "--out", out) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot read"), ("", "the run had no event"), ("{}\nx\n", "line 2: not JSON")]
)
def test_another_folder_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    said: str,
) -> None:
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(
            content.replace("{}", '{"_aws":{"Timestamp":0,"CloudWatchMetrics":[]}}')
        )

    assert mep(monkeypatch, "dashboard", "--run", tmp_path, "--out", tmp_path / "x.html") == 2
    error = capsys.readouterr().err
    assert said in " ".join(error.split())
    assert "Traceback" not in error


def test_an_output_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, run_folder: Path) -> None:
    assert mep(monkeypatch, "dashboard", "--run", run_folder, "--out", run_folder / "no" / "x.html") == 2
