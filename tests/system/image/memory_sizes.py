"""What more memory buys: the image's events at the share of a core that each memory size has on Lambda.

    IMAGE=mark-earnings-processed .venv/bin/python tests/system/image/memory_sizes.py     # needs Docker; builds nothing

Lambda gives a function a core in proportion to its memory, one whole at 1,769 MB
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html). Docker's quota does the same here. Times are
this machine's: compare the ratios.
"""

import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from emulator.calendar_rows import CalendarRow
from emulator.services.loading import load
from monitoring.cost import GB_SECOND, REQUEST
from tests.support.containers import IMAGE, Harness, harness
from tests.support.events import DATE
from tests.system.image.events import event

MEGABYTES = (128, 256, 512, 1024, 1769)
ONE_CORE_MB = 1769
EVENTS = 200


@dataclass(frozen=True)
class Size:
    """What a memory size does.

    Attributes:
        megabytes: Of memory.
        init_ms: Until the function was ready.
        warm_ms: `ProcessingTime` of events that are not the first, sorted.
    """

    megabytes: int
    init_ms: float
    warm_ms: tuple[float, ...]

    @property
    def typical_ms(self) -> float:
        """The median of a warm event."""
        return statistics.median(self.warm_ms)

    @property
    def slow_ms(self) -> float:
        """What one event in a hundred takes at least."""
        return self.warm_ms[len(self.warm_ms) * 99 // 100]

    @property
    def dollars(self) -> float:
        """Of Lambda on arm64, for a million warm events, billed by the millisecond begun."""
        seconds = sum(-(-each // 1) for each in self.warm_ms) / len(self.warm_ms) / 1000
        return 1e6 * (seconds * self.megabytes / 1024 * GB_SECOND + REQUEST)


def measure(on: Harness, image: str, megabytes: int) -> Size:
    """Send events, each for a row of its own, to a function that has so much of a core."""
    with on.tables() as tables:
        load(tables.client, tables.calendar_table, [CalendarRow((f"S{number}", DATE)) for number in range(EVENTS)])
        variables = {
            **on.environment(tables, on.dead_letters()),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(megabytes),
        }
        with on.function(image, variables, nano_cpus=int(1e9 * megabytes / ONE_CORE_MB)) as function:
            for number in range(EVENTS):
                outcome = function.invoke(event(f"S{number}", f"evt-{number}")).body["outcome"]
                if outcome != "marked":
                    raise SystemExit(f"event {number} was not marked: {outcome}")

            def lines() -> list[dict[str, Any]]:
                return [line for line in function.lines() if "ProcessingTime" in line]

            function.wait_until("a metric line of each event", lambda: len(lines()) == EVENTS)
            emitted = lines()
    warm = sorted(line["ProcessingTime"] for line in emitted if "InitDuration" not in line)
    return Size(megabytes, next(line["InitDuration"] for line in emitted if "InitDuration" in line), tuple(warm))


def main() -> None:
    """Print a table in Markdown."""
    with harness() as on:
        sizes = [measure(on, os.environ.get("IMAGE", IMAGE), megabytes) for megabytes in MEGABYTES]
    print("| memory | of a core | init | warm event, median | p99 | Lambda, a million events |")
    print("|---:|---:|---:|---:|---:|---:|")
    for size in sizes:
        print(
            f"| {size.megabytes} MB | {size.megabytes / ONE_CORE_MB:.2f} | {size.init_ms:.0f} ms "
            f"| {size.typical_ms:.1f} ms | {size.slow_ms:.0f} ms | {size.dollars:.2f} $ |"
        )


if __name__ == "__main__":
    main()
