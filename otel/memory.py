"""The memory use of the process, as Lambda's limit counts it."""

import os
import sys

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEGABYTE = 1024 * 1024

PRESSURE_PERCENT = 80.0
"""Share of the allocation above which detail is dropped."""


def used_mb(statm: str = "/proc/self/statm") -> float:
    """Return the resident memory of this process, megabytes.

    Without `/proc`, the peak from `ru_maxrss`: on Linux, a child process inherits the peak of its parent there.
    """
    try:
        with open(statm, "rb", buffering=0) as file:
            return int(file.read(128).split()[1]) * _PAGE / _MEGABYTE
    except (OSError, IndexError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / _MEGABYTE if sys.platform == "darwin" else peak / 1024
