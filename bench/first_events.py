"""What the first event after a restore waits for: the hooks after the restore, and what was not done before."""

import dataclasses
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from bench.counters import Counter
from bench.measure import instructions, run
from bench.target import NO_HANDLER, Target


def first_events(targets: Mapping[str, Target], counter: Counter) -> dict[str, int]:
    """Count the user-space instructions of the hooks after a restore and of the first event, without the driver's.

    Args:
        targets: By name.
        counter: Counts instructions.

    Raises:
        BenchError: A run failed.
    """
    restored = {name: dataclasses.replace(target, restored=True) for name, target in targets.items()}
    restored[NO_HANDLER] = Target(NO_HANDLER)
    for target in restored.values():
        run(target, 1)  # writes the bytecode and fills the disk cache
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        futures = {
            name: [pool.submit(instructions, target, events, counter) for events in (0, 1)]
            for name, target in restored.items()
        }
        counted = {name: [future.result() for future in pair] for name, pair in futures.items()}
    first = {name: one - none for name, (none, one) in counted.items()}
    driver = first.pop(NO_HANDLER)
    return {name: count - driver for name, count in first.items()}
