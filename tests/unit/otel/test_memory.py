"""Memory use, compared with other figures of the kernel."""

import resource
import sys
from pathlib import Path

import pytest

from otel import memory


def resident_mb() -> float:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def test_it_is_the_resident_memory() -> None:
    # The kernel keeps the two figures in different counters, which lag by a few pages per thread.
    assert memory.used_mb() == pytest.approx(resident_mb(), rel=0.05, abs=4)


def test_it_grows_with_use() -> None:
    before = memory.used_mb()
    held = bytearray(64 * 1024 * 1024)
    held[::4096] = b"x" * len(held[::4096])

    grown = memory.used_mb() - before
    assert grown == pytest.approx(64, abs=8), f"{Path('/proc/self/statm').read_text()} {resident_mb()} MB"
    del held
    assert memory.used_mb() - before == pytest.approx(0, abs=8)  # not a peak


@pytest.mark.parametrize("content", [None, "", "12", "12 many"], ids=["no file", "empty", "short", "no number"])
def test_without_proc_it_is_the_peak(content: str | None, tmp_path: Path) -> None:
    statm = tmp_path / "statm"
    if content is not None:
        statm.write_text(content)

    peak = memory.used_mb(str(statm))

    assert peak == pytest.approx(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, abs=4)
    assert peak >= memory.used_mb() - 4


def test_macos_counts_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_kilobytes = memory.used_mb(str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "platform", "darwin")

    assert memory.used_mb(str(tmp_path / "nothing")) == pytest.approx(in_kilobytes / 1024, rel=0.1)
