"""The tables of runs of `bench/table.py` and `bench/restore.py`, in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure import Memory
from bench.origin import described
from bench.run import Figures, Instructions, ratios
from bench.variant_list import PLAIN, PLAIN_TLS, VARIANTS, Variant, baseline_of

_BY_NAME = {variant.name: variant for variant in VARIANTS}
_COLUMNS = {
    "init": "init",
    "first": "first event",
    "cold": "cold start",
    "warm": "warm event",
    "peak_kb": "peak memory",
}
"""The ratios in the tables, and their headings."""

SHORT = {
    "v0": "plain function, no telemetry",
    "xray": "with the X-Ray SDK",
    "powertools": "with Powertools: Logger, Metrics, Tracer",
    "adot-fast": "in the ADOT layer, fast start",
    "datadog": "with Datadog, without its extension",
    "layer": "**this function**, ADOT layer",
    "direct": "**this function**, direct",
}
"""The variants in the table of the README, and their labels there."""

EXPORT_MODES = {
    "layer": "`layer`",
    "direct": "`direct`",
    "collector": "`collector`",
    "layer-full": "`layer-full`",
    "adot": "for comparison: the plain function in the ADOT layer",
    "adot-fast": "the same, fast start",
}
"""The variants in the table of docs/telemetry.md, and their labels there."""

_MILLION = 1_000_000

type Cells = Sequence[str]


def figures_of(result: Mapping[str, Any]) -> dict[str, Figures]:
    """Return the figures in the JSON of a run, by the name of the variant.

    Raises:
        TypeError: The run is older than the figures of today.
    """
    return {
        name: Figures(
            Instructions(**found["instructions"]) if found["instructions"] else None,
            Memory(**{**found["memory"], "peaks_kb": tuple(found["memory"]["peaks_kb"])}),
        )
        for name, found in result["figures"].items()
    }


def compared(figures: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """Return the ratios of every measured variant to its baseline, by name."""
    return {name: ratios(own, figures[baseline_of(_BY_NAME[name]).name]) for name, own in figures.items()}


def markdown(heads: Cells, rows: Sequence[Cells]) -> str:
    """Return a Markdown table, whose first column is text and whose others are numbers."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        "| " + " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + " |"
        for row in (heads, *rows)
    ]
    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def table(figures: Mapping[str, Figures]) -> str:
    """Return the figures as a Markdown table, one line per variant with ratios to V0 first, and absolute values."""
    rows = []
    for variant in VARIANTS:
        if variant.name in figures:
            memory = figures[variant.name].memory
            rows.append(
                (
                    variant.label,
                    *_ratios(figures, variant.name, tuple(_COLUMNS)),
                    str(memory.modules_init),
                    f"{memory.attempts_per_event:g}",
                    f"{memory.datagrams_per_event:g}",
                    f"{memory.stdout_bytes_per_event:.0f}",
                )
            )
    heads = ("", *_COLUMNS.values(), "modules", "requests", "datagrams", "stdout, bytes")
    plain = [absolutes(variant, figures[variant.name]) for variant in (PLAIN, PLAIN_TLS) if variant.name in figures]
    return "\n".join([markdown(heads, rows), "", *(f"- {line}" for line in [*plain, *launches(figures)])])


def _ratios(figures: Mapping[str, Figures], name: str, columns: Cells) -> list[str]:
    found = compared(figures)[name]
    return [f"{found[column]:.2f}" if column in found else "-" for column in columns]


def absolutes(variant: Variant, figures: Figures) -> str:
    """Return the absolute values of a baseline as one line."""
    parts = [f"peak memory {figures.memory.peak_kb / 1024:.1f} MiB"]
    if figures.instructions is not None:
        counted = figures.instructions
        million = {"init": counted.init, "first event": counted.first, "warm event": counted.warm}
        parts = [f"{name} {value / _MILLION:.4g} M instructions" for name, value in million.items()] + parts
    return f"{variant.label}: {', '.join(parts)}"


def launches(figures: Mapping[str, Figures]) -> list[str]:
    """Return the launcher's part of `init`, one line per variant that has a launcher."""
    lines = []
    for variant in VARIANTS:
        found = figures[variant.name].instructions if variant.name in figures else None
        plain = figures[baseline_of(variant).name].instructions if found else None
        if found and plain and found.launch:
            lines.append(f"{variant.label}: {found.launch / plain.init:.2f} of its init is `opentelemetry-instrument`")
    return lines


def comparison(result: Mapping[str, Any]) -> str:
    """Return the whole table of a run and its origin."""
    return f"{described(result)}\n\n{table(figures_of(result))}"


def short(result: Mapping[str, Any]) -> str:
    """Return the short form of the table: ratios to V0."""
    figures = figures_of(result)
    rows = [
        (label, *_ratios(figures, name, ("cold", "warm", "peak_kb")), f"{figures[name].memory.attempts_per_event:g}")
        for name, label in SHORT.items()
    ]
    return markdown(("", "cold start", "warm event", "peak memory", "requests per event"), rows)


def export_modes(result: Mapping[str, Any]) -> str:
    """Return the table of the export modes."""
    figures = figures_of(result)
    rows = []
    for name, label in EXPORT_MODES.items():
        memory = figures[name].memory
        spans = "none: one datagram" if memory.datagrams_per_event else "one"
        rows.append((label, *_ratios(figures, name, ("init", "warm", "peak_kb")), str(memory.modules_init), spans))
    return markdown(("mode", "init", "warm event", "peak memory", "modules", "requests for spans"), rows)


def after_a_restore(result: Mapping[str, Any]) -> str:
    """Return the table of a run of `bench/restore.py`: ratios to V0 with the same transport."""
    rows = [
        (name + suffix, f"{count / _MILLION:.2f} M", f"{count / counts['V0']:.2f}")
        for counts, suffix in ((result["plain"], ""), (result["tls"], ", with TLS"))
        for name, count in counts.items()
    ]
    return f"{described(result)}\n\n{markdown(('', 'first event after a restore', 'ratio'), rows)}"
