"""The benchmark's own parts: what it reads, what it computes, and one real run of V0 without instrumentation."""

import zlib
from pathlib import Path

import pytest

from bench.counters import parse_callgrind, parse_perf
from bench.measure import BenchError, Memory, memory, run, unchanged_sources
from bench.run import MODES, Figures, Instructions, derive, main, ratios, table, targets_of
from bench.stub import reply
from bench.target import Target

MEMORY = Memory(
    peak_kb=1024.0,
    peaks_kb=(1024,),
    modules_before=30,
    modules_init=10,
    modules_first=0,
    attempts_per_event=1.0,
    datagrams_per_event=0.0,
    datagram_bytes_per_event=0.0,
    stdout_bytes_per_event=12.5,
)


def figures(*, init: int, warm: float) -> Figures:
    return Figures(Instructions(init=init, first=1, cold=init + 1, warm=warm), MEMORY)


def test_callgrind_count_is_read() -> None:
    text = "==7== Events    : Ir\n==7== Collected : 1026980252\n==7== \n==7== I   refs: 1,026,980,252\n"
    assert parse_callgrind(text) == 1_026_980_252


def test_callgrind_without_a_count() -> None:
    assert parse_callgrind("==7== Callgrind, a call-graph generating cache profiler\n") is None


def test_perf_count_is_read() -> None:
    assert parse_perf("# started on Tue\n\n123456,,instructions:u,99,100.00,,\n") == 123_456


def test_perf_that_cannot_count() -> None:
    assert parse_perf("<not supported>,,instructions:u,0,100.00,,\n") is None


def test_phases_exclude_the_interpreter() -> None:
    counted = {0: 1_000, 1: 1_300, 11: 1_900}
    idle = {0: 100, 1: 110, 11: 210}
    assert derive(counted, idle, 10) == Instructions(init=900, first=290, cold=1_190, warm=50.0)


def test_ratios_are_of_the_function_to_v0() -> None:
    result = ratios(figures(init=300, warm=8.0), figures(init=600, warm=4.0))
    assert result["init"] == 0.5
    assert result["warm"] == 2.0
    assert result["peak_kb"] == 1.0
    assert "datagrams_per_event" not in result  # V0 sends none: there is no ratio


def test_table_without_a_counter_still_shows_memory() -> None:
    text = table({"layer": Figures(None, MEMORY)}, *[Figures(None, MEMORY)] * 2)
    assert "instructions" not in text
    assert "1.0 MiB" in text


def test_reply_carries_its_checksum() -> None:
    head, body = reply("200 OK", b'{"a": 1}').split(b"\r\n\r\n")
    assert b"x-amz-crc32: %d" % zlib.crc32(b'{"a": 1}') in head.split(b"\r\n")
    assert body == b'{"a": 1}'


def test_v0_processes_events_against_the_stub() -> None:
    result = memory(Target("bench.v0"), 3, times=1)
    assert result.attempts_per_event == 1.0
    assert result.datagrams_per_event == 0.0
    assert result.modules_init > 100
    assert 200 < result.stdout_bytes_per_event < 1000
    assert 10_000 < result.peak_kb < 200_000


def test_no_handler_sends_nothing() -> None:
    result = run(Target("-"), 2)
    assert result.seen["connections"] == 0
    assert result.report["modules_init"] == 0


def test_handler_that_cannot_be_imported_is_one_line() -> None:
    with pytest.raises(BenchError, match=r"^bench\.nowhere failed with 1 events: ModuleNotFoundError: .*$") as caught:
        run(Target("bench.nowhere"), 1)
    assert "\n" not in str(caught.value)


def test_function_that_cannot_start_is_one_line() -> None:
    """It says why on standard output."""
    with pytest.raises(BenchError, match=r"^handler\.app failed with 1 events: .*EARNINGS_CALENDAR_TABLE") as caught:
        run(Target("handler.app", environ={"EARNINGS_CALENDAR_TABLE": "a name"}), 1)
    assert "\n" not in str(caught.value)


def test_handler_that_writes_nothing_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.measure.NO_HANDLER", "")  # so that the empty handler is held to what others are
    with pytest.raises(BenchError, match=r"^- sent 0 transactions for 2 events$"):
        run(Target("-"), 2)


def test_edit_while_measuring_is_refused(tmp_path: Path) -> None:
    (tmp_path / "handler").mkdir()
    with (
        pytest.raises(BenchError, match=r"^handler/new\.py changed while it was measured: run again$"),
        unchanged_sources(tmp_path),
    ):
        (tmp_path / "handler" / "new.py").touch()


def test_sources_left_alone_are_measured(tmp_path: Path) -> None:
    (tmp_path / "otel").mkdir()
    (tmp_path / "otel" / "old.py").touch()
    with unchanged_sources(tmp_path):
        pass


def test_each_mode_is_a_column_and_selected_by_its_variable() -> None:
    heads, *_ = table(dict.fromkeys(MODES, Figures(None, MEMORY)), *[Figures(None, MEMORY)] * 2).splitlines()
    assert heads.split() == ["ratio", "layer", "ratio", "direct", "V0", "interpreter"]
    layer, direct = targets_of("handler.app", [*MODES]).values()
    assert layer.environ == {"AWS_LAMBDA_EXEC_WRAPPER": layer.wrapper}
    assert (direct.environ, direct.wrapper) == ({}, "")


def test_the_layer_is_not_measured_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function would export in direct mode, and keep the layer's budget."""
    monkeypatch.setattr("bench.run.find_spec", lambda _: None)
    with pytest.raises(BenchError, match=r"^the layer's packages are not installed"):
        targets_of("handler.app", ["layer"])


def test_failed_run_is_a_message_and_an_exit_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.run.find_counter", lambda: None)
    monkeypatch.setattr("bench.run.V0", "bench.nowhere")
    assert main(["--mode", "direct"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("bench: bench.nowhere failed")
    assert said.err.count("\n") == 1
