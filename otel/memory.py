"""How much memory the process holds, as Lambda's limit counts it."""

import os
import sys

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEGABYTE = 1024 * 1024

PRESSURE_PERCENT = 80.0
"""Above this share of the allocation, detail is shed."""


def used_mb(statm: str = "/proc/self/statm") -> float:
    """Resident memory of this process, megabytes.

    Not `ru_maxrss` where Linux tells better: a child process inherits its parent's peak there.
    """
    try:
        with open(statm, "rb", buffering=0) as file:
            return int(file.read(128).split()[1]) * _PAGE / _MEGABYTE
    except (OSError, IndexError, ValueError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / _MEGABYTE if sys.platform == "darwin" else peak / 1024
