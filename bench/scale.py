"""The table of the runs of `tests/soak/scale.py`, in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.comparison import markdown
from bench.origin import place

V0 = "v0"
"""The plain function in `SCALE`."""

_FLAT_FROM = 100
"""The cost per event is flat from this number of events on: those before fill caches and open connections."""


def scale(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the CPU time per event between checkpoints as a Markdown table, with what it is flat to."""
    modes = list(dict.fromkeys(name for run in runs for name in run["init_s"] if name != V0))
    rows, lines = [], []
    for run in runs:
        steps = list(_steps(run))
        for begin, end, each in steps:
            shown = [f"{each[mode] / each[V0]:.2f}" if mode in each else "-" for mode in modes]
            events = f"{begin + 1:,} to {end:,}" if end > begin + 1 else f"{end:,}"
            rows.append((events, str(run["workers"]), f"{1000 * each[V0]:.2f}", *shown))
        lines.append(_flatness(run, steps))
    heads = ("events", "workers", "V0, ms per event", *(f"{mode} / V0" for mode in modes))
    return "\n".join([markdown(heads, rows), "", *(f"- {line}" for line in lines)])


def _steps(run: Mapping[str, Any]) -> Iterator[tuple[int, int, dict[str, float]]]:
    """Yield the CPU seconds per event between one checkpoint and the next, by function."""
    before, spent = 0, dict.fromkeys(run["init_s"], 0.0)
    for checkpoint in run["checkpoints"]:
        events, now = checkpoint["events"], checkpoint["cpu_s"]
        yield before, events, {name: (now[name] - spent[name]) / (events - before) for name in now}
        before, spent = events, now


def _flatness(run: Mapping[str, Any], steps: Sequence[tuple[int, int, dict[str, float]]]) -> str:
    """Return how a run was measured, and its last step relative to the first one of the flat ones."""
    flat = [each for begin, _, each in steps if begin >= _FLAT_FROM] or [steps[-1][2]]
    starts = ", ".join(f"{name} {seconds / run['workers']:.2f} s" for name, seconds in run["init_s"].items())
    changes = ", ".join(
        f"{name} {last / flat[0][name] / (flat[-1][V0] / flat[0][V0]):.2f}"
        for name, last in flat[-1].items()
        if name != V0
    )
    size = f"{run['workers']} worker{'s' if run['workers'] > 1 else ''}, {run['events']:,} events"
    flat_row = f"events {_FLAT_FROM + 1} to {10 * _FLAT_FROM:,}"
    return f"{size} ({place(run)}): the last ratio relative to that of {flat_row}: {changes}. A start costs {starts}."
