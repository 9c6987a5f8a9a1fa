"""How thorough a run is: few examples, the same in each run, or many with `--hypothesis-profile=thorough`.

The weekly workflow is thorough. The profile's deadline is off: a busy machine is no defect. What runs on real
services and processes is thorough on its own: where PROOF_EXAMPLES is set, as in the step `soak` of .ci/run.
"""

import os
from collections.abc import Iterable

from hypothesis import settings

settings.register_profile("quick", max_examples=25, derandomize=True, database=None, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("quick")

EXAMPLES = int(os.environ.get("PROOF_EXAMPLES", "3"))
"""Sequences of steps that are drawn."""

THOROUGH = "PROOF_EXAMPLES" in os.environ
"""Whether processes are also killed where it leaves the same as another kill, queues are full of thousands, and `few`
takes every case."""


def is_thorough() -> bool:
    """Return whether this run is thorough. The answer is final once the tests are collected."""
    return settings.get_current_profile_name() == "thorough"


def some[T](cases: Iterable[T], *, of: int, start: int = 0) -> list[T]:
    """Return every case in a thorough run, else one of so many.

    Args:
        cases: All of them.
        of: The distance between two that are taken.
        start: Which is the first: with another for each test, the tests together have more of the cases.
    """
    every = list(cases)
    return every if is_thorough() else every[start % of :: of]


def few[T](cases: Iterable[T], *, of: int, start: int = 0) -> list[T]:
    """Return every case where `THOROUGH`, else one of so many: for cases that take a process, or seconds.

    Only for files that the step `soak` of .ci/run runs.

    Args:
        cases: All of them.
        of: The distance between two that are taken.
        start: Which is the first.
    """
    every = list(cases)
    return every if THOROUGH else every[start % of :: of]
