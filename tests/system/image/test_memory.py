"""Memory: what 1,000 events take, measured from outside, of the 128 MB that the function has; in each export mode."""

import pytest

from emulator.calendar_rows import CalendarRow
from emulator.services.loading import load
from tests.support.containers import MEMORY_MB, Harness
from tests.support.events import DATE
from tests.support.stores import Tables
from tests.system.image.baseline import hold
from tests.system.image.events import event
from tests.system.image.exporters import EXPORT_MODES

EVENTS = 1_000
ALLOWED_PERCENT = 80


@pytest.mark.timeout(300, func_only=True)
@pytest.mark.parametrize("mode", EXPORT_MODES)
def test_a_thousand_events_fit(
    image: str, harness: Harness, tables: Tables, environment: dict[str, str], mode: str
) -> None:
    load(tables.client, tables.calendar_table, [CalendarRow((f"S{number}", DATE)) for number in range(EVENTS)])
    variables = {**environment, **EXPORT_MODES[mode].variables}
    with EXPORT_MODES[mode].receiver(harness), harness.function(image, variables) as function:
        outcomes = [function.invoke(event(f"S{number}", f"evt-{number}")).body["outcome"] for number in range(EVENTS)]
        assert outcomes == ["marked"] * EVENTS
        counted, summed = function.peak_memory_mb()
        lines = function.lines()
    # The function's own metric must agree with the measurement from outside.
    reported = max(line["MemoryUsed"] for line in lines if "MemoryUsed" in line)
    detail = (
        f"container {counted:.1f} MB, sum of its processes {summed:.1f} MB (the emulator's included), "
        f"reported {reported} MB"
    )
    peak = max(counted, summed)
    assert peak <= MEMORY_MB * ALLOWED_PERCENT / 100, detail
    assert reported <= peak, detail
    # Not the container's: the first one to read a new image has its pages counted, too.
    hold(f"peak_memory_mb, {mode}", summed, detail=detail)
