"""A graph of metrics as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from monitoring.metric_store import Series

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 190, 46, 46, 8, 18

COLOURS = (
    *("#3b82c4", "#d9822b", "#3f9b53", "#cc4b4b", "#8b6fc0", "#8a6552", "#d373b3"),
    *("#7d7d7d", "#a8a432", "#2fa8b5"),
)


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line of a graph.

    Attributes:
        label: Text in the legend.
        values: One value per period.
        right: Whether the line uses the right axis.
    """

    label: str
    values: Series
    right: bool = False


def chart(lines: Sequence[ChartLine], *, stacked: bool, threshold: float | None) -> str:
    """Return a graph of lines or stacked areas. A single period is as wide as the graph.

    Args:
        lines: The lines, in the order of the legend.
        stacked: Whether to draw stacked areas.
        threshold: The value of a dashed line on the left axis; None for none.
    """
    return "".join(_svg(lines, stacked=stacked, threshold=threshold))


def _svg(lines: Sequence[ChartLine], *, stacked: bool, threshold: float | None) -> Iterator[str]:
    yield f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    shown = _stack(lines) if stacked else [(line, line.values) for line in lines]
    shown = [(line, values * 2 if len(values) == 1 else values) for line, values in shown]
    tops = {right: _top([values for line, values in shown if line.right is right]) for right in (False, True)}
    if threshold is not None:
        tops[False] = max(tops[False], threshold * 1.1)
    for share in (0, 0.5, 1):
        y = _y(share, 1)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        left = number(share * tops[False])
        yield f'<text class="axis" x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{left}</text>'
        if any(line.right for line in lines):
            yield f'<text class="axis" x="{WIDTH - RIGHT + 4}" y="{y + 3:.1f}">{number(share * tops[True])}</text>'
    if threshold is not None:
        y = _y(threshold, tops[False])
        yield f'<line class="threshold" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    for index, (line, values) in reversed(list(enumerate(shown))):
        yield from _line(line.label, values, tops[line.right], COLOURS[index % len(COLOURS)], filled=stacked)
    yield "</svg>"


def _line(label: str, values: Series, top: float, colour: str, *, filled: bool) -> Iterator[str]:
    step = (WIDTH - LEFT - RIGHT) / max(len(values) - 1, 1)
    points = [(LEFT + index * step, _y(value, top)) for index, value in enumerate(values) if value is not None]
    if not points:
        return
    title = f"<title>{escape(label)}</title>"
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    if filled:
        floor = _y(0, top)
        yield f'<polygon points="{points[0][0]:.1f},{floor:.1f} {path} {points[-1][0]:.1f},{floor:.1f}" '
        yield f'fill="{colour}" fill-opacity=".85">{title}</polygon>'
        return
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6">{title}</polyline>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" fill="{colour}"/>'


def _stack(lines: Sequence[ChartLine]) -> list[tuple[ChartLine, Series]]:
    """Return each line with its values added to those of the lines before it."""
    stacked: list[tuple[ChartLine, Series]] = []
    below = [0.0] * max((len(line.values) for line in lines), default=0)
    for line in lines:
        below = [under + (value or 0.0) for under, value in zip(below, line.values, strict=True)]
        has_any = any(value is not None for value in line.values)
        stacked.append((line, list(below) if has_any else [None] * len(below)))
    return stacked


def _top(series: Sequence[Series]) -> float:
    highest = max((value for values in series for value in values if value is not None), default=0)
    return highest * 1.05 if highest > 0 else 1.0


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def number(value: float | None) -> str:
    """Return a number as short text."""
    if value is None:
        return "–"  # noqa: RUF001 - CloudWatch shows a dash, too
    if value and abs(value) < 0.01:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
