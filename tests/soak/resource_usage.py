"""What the soak's processes cost, by what they are: from /proc, so on Linux."""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_ROLES = (
    (b"awslambdaric", "function"),
    (b"\0soak.", "store"),
    (b"\0tests.soak.", "store"),
    (b"dynamodb_local", "store"),
    (b"ministack", "queue"),
)
OURSELVES = "pipeline"
ROLES = ("function", OURSELVES, "store", "queue")


@dataclass(frozen=True, slots=True)
class Cost:
    """What the processes of one role have cost so far.

    Attributes:
        cpu_s: User and system time in seconds.
        peak_mb: The largest resident memory of any one of them, in MB.
    """

    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What it had cost when so many deliveries had ended.

    Attributes:
        events: Deliveries that had ended.
        seconds: Since the meter began.
        costs: By role, since then; the peaks since the process began.
    """

    events: int
    seconds: float
    costs: dict[str, Cost]


class UsageMeter:
    """Notes what it has cost since it was made.

    Attributes:
        moments: What was noted.
    """

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._before = costs()
        self.moments: list[Checkpoint] = []

    def seconds(self) -> float:
        """Seconds since the meter began."""
        return time.monotonic() - self._begun

    def note(self, events: int) -> None:
        """Note the cost now that so many deliveries have ended."""
        if self.moments and self.moments[-1].events == events:
            return
        now = {role: Cost(cost.cpu_s - self._before[role].cpu_s, cost.peak_mb) for role, cost in costs().items()}
        self.moments.append(Checkpoint(events, self.seconds(), now))


def costs() -> dict[str, Cost]:
    """The cost of this process (the role `pipeline`) and of those that it started, by role.

    Function processes that died are in it, since they were waited for. Without /proc only this process is.
    """
    own = resource.getrusage(resource.RUSAGE_SELF)
    dead = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = dict.fromkeys(ROLES, 0.0)
    peak = dict.fromkeys(ROLES, 0.0)
    cpu[OURSELVES], peak[OURSELVES] = own.ru_utime + own.ru_stime, own.ru_maxrss / 1024
    cpu["function"] += dead.ru_utime + dead.ru_stime
    for pid in _descendants(os.getpid()):
        try:
            role = _role(pid)
            if role is None:
                continue
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            cpu[role] += (int(fields[11]) + int(fields[12])) / _TICKS
            peak[role] = max(peak[role], _peak_mb(pid))
        except OSError:  # it has just ended
            continue
    return {role: Cost(cpu[role], peak[role]) for role in ROLES}


def _role(pid: int) -> str | None:
    command = (_PROC / str(pid) / "cmdline").read_bytes()
    return next((role for word, role in _ROLES if word in command), None)


def _peak_mb(pid: int) -> float:
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    pending = [pid]
    while pending:
        try:
            tasks = list((_PROC / str(pending.pop()) / "task").iterdir())
        except OSError:
            continue
        for task in tasks:
            try:
                children = [int(word) for word in (task / "children").read_text().split()]
            except OSError:
                continue
            found += children
            pending += children
    return found
